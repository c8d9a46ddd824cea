/* For tests only. Rust programs take random numbers from bcryptprimitives.dll, which every Windows has and Wine 8 has
   not: this is one for a Wine prefix. It is never shipped. */
#include <windows.h>

/* Wine's own source of random bytes, which has no other name to the outside. */
BOOLEAN NTAPI SystemFunction036(PVOID bytes, ULONG count);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count)
{
    const ULONG most = 1u << 20;
    for (SIZE_T done = 0; done < count;) {
        SIZE_T left = count - done;
        ULONG some = left < most ? (ULONG)left : most;
        if (!SystemFunction036(bytes + done, some))
            return FALSE;
        done += some;
    }
    return TRUE;
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved)
{
    (void)instance, (void)reason, (void)reserved;
    return TRUE;
}
