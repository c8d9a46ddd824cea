//! The pause program: a static ELF executable, assembled by hand.
//!
//! One program segment holds the whole file, readable and executable; nothing is ever written. Layout:
//!
//! ```text
//! 0x00  ELF header          64 bytes
//! 0x40  program header      56 bytes
//! 0x78  code                entry point
//!       struct sigaction    32 bytes, as the kernel reads it
//! ```

/// The pause program is not known for that architecture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no pause program for the architecture {architecture}")]
pub struct UnsupportedArchitecture {
    /// As given.
    pub architecture: String,
}

/// What it takes to make the program for one architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Architecture {
    Amd64,
    Arm64,
}

/// Sizes of the two headers, which the code follows.
const ELF_HEADER_BYTES: u16 = 64;
const PROGRAM_HEADER_BYTES: u16 = 56;
const CODE_OFFSET: u64 = 64 + 56;

/// Where the file lies in memory: the customary address of a program that is not relocated.
const BASE: u64 = 0x40_0000;

/// Largest page size of either architecture, so that the segment can be mapped on every host.
const SEGMENT_ALIGNMENT: u64 = 0x1_0000;

/// `mov eax, 13 (rt_sigaction)` and so on; the last four bytes align what follows to eight.
#[rustfmt::skip]
const AMD64_CODE: &[u8] = &[
    0xb8, 13, 0, 0, 0,              // 00 mov eax, 13         call rt_sigaction
    0xbf, 17, 0, 0, 0,              // 05 mov edi, 17         for SIGCHLD
    0x48, 0x8d, 0x35, 0x17, 0, 0, 0,// 0a lea rsi, [rip+0x17] with the action at 0x28
    0x31, 0xd2,                     // 11 xor edx, edx        the old action is not asked for
    0x41, 0xba, 8, 0, 0, 0,         // 13 mov r10d, 8         a signal set has 8 bytes
    0x0f, 0x05,                     // 19 syscall
    0xb8, 34, 0, 0, 0,              // 1b mov eax, 34         call pause: until a signal is handled
    0x0f, 0x05,                     // 20 syscall
    0xeb, 0xf7,                     // 22 jmp 0x1b            and again
    0, 0, 0, 0,                     // 24 padding
];

/// The same in `AArch64`, which has no `pause`: `ppoll` of nothing without a limit waits as well.
#[rustfmt::skip]
const ARM64_CODE: &[u32] = &[
    0xd280_0220, // 00 mov x0, #17    for SIGCHLD
    0x1000_01a1, // 04 adr x1, 0x38   with the action at 0x38
    0xd280_0002, // 08 mov x2, #0     the old action is not asked for
    0xd280_0103, // 0c mov x3, #8     a signal set has 8 bytes
    0xd280_10c8, // 10 mov x8, #134   call rt_sigaction
    0xd400_0001, // 14 svc #0
    0xd280_0000, // 18 mov x0, #0     no descriptors
    0xd280_0001, // 1c mov x1, #0     none of them
    0xd280_0002, // 20 mov x2, #0     without a limit
    0xd280_0003, // 24 mov x3, #0     with the signal mask as it is
    0xd280_0004, // 28 mov x4, #0     whose size does not count then
    0xd280_0928, // 2c mov x8, #73    call ppoll: until a signal is handled
    0xd400_0001, // 30 svc #0
    0x17ff_fff9, // 34 b 0x18         and again
];

/// `struct sigaction` of the kernel, the same on both: handler, flags, restorer, mask.
/// `SIG_IGN` and `SA_NOCLDWAIT`: children that end leave nothing behind to be waited for.
const IGNORE_CHILDREN: [u64; 4] = [1, 2, 0, 0];

impl Architecture {
    /// Takes Docker's, Rust's and the image configuration's word for it.
    pub(super) fn parse(text: &str) -> Result<Self, UnsupportedArchitecture> {
        match text {
            "amd64" | "x86_64" => Ok(Self::Amd64),
            "arm64" | "aarch64" => Ok(Self::Arm64),
            other => Err(UnsupportedArchitecture {
                architecture: other.to_owned(),
            }),
        }
    }

    /// The image configuration's word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// `e_machine`.
    fn machine(self) -> u16 {
        match self {
            Self::Amd64 => 62,
            Self::Arm64 => 183,
        }
    }

    fn code(self) -> Vec<u8> {
        match self {
            Self::Amd64 => AMD64_CODE.to_vec(),
            Self::Arm64 => ARM64_CODE
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .collect(),
        }
    }
}

/// The executable file.
pub(super) fn pause_program(architecture: Architecture) -> Vec<u8> {
    let mut body = architecture.code();
    body.extend(IGNORE_CHILDREN.iter().flat_map(|word| word.to_le_bytes()));
    let body_bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
    let mut file = Vec::new();
    elf_header(&mut file, architecture);
    program_header(&mut file, CODE_OFFSET.saturating_add(body_bytes));
    file.extend(body);
    file
}

fn elf_header(file: &mut Vec<u8>, architecture: Architecture) {
    // Magic, 64 bits, little endian, version 1, System V, padding.
    file.extend([0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    half(file, 2); // e_type: executable
    half(file, architecture.machine());
    word(file, 1); // e_version
    long(file, BASE + CODE_OFFSET); // e_entry
    long(file, u64::from(ELF_HEADER_BYTES)); // e_phoff: the program header follows
    long(file, 0); // e_shoff: no sections
    word(file, 0); // e_flags
    half(file, ELF_HEADER_BYTES);
    half(file, PROGRAM_HEADER_BYTES);
    half(file, 1); // e_phnum
    half(file, 0); // e_shentsize
    half(file, 0); // e_shnum
    half(file, 0); // e_shstrndx
}

fn program_header(file: &mut Vec<u8>, file_bytes: u64) {
    word(file, 1); // p_type: load
    word(file, 5); // p_flags: readable, executable
    long(file, 0); // p_offset: from the first byte
    long(file, BASE); // p_vaddr
    long(file, BASE); // p_paddr
    long(file, file_bytes); // p_filesz
    long(file, file_bytes); // p_memsz
    long(file, SEGMENT_ALIGNMENT); // p_align
}

fn half(file: &mut Vec<u8>, value: u16) {
    file.extend(value.to_le_bytes());
}

fn word(file: &mut Vec<u8>, value: u32) {
    file.extend(value.to_le_bytes());
}

fn long(file: &mut Vec<u8>, value: u64) {
    file.extend(value.to_le_bytes());
}
