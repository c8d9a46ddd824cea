/* For tests under Wine, whose own netsh says that all went well and does nothing: a netsh that keeps, in files beside
 * C:\netsh.log, which address and how many rules it has been given, and refuses what Windows refuses. What it is asked
 * for is a line of that log. Where C:\netsh.deny is, it may change nothing, as without an administrator's rights. Where
 * C:\netsh.2016 is, the adapter of Docker's network has the name that it has on Server 2016. */

#include <stdio.h>
#include <string.h>
#include <windows.h>

static const char ADDRESS[] = "C:\\netsh.address";
static const char RULES[] = "C:\\netsh.rules";

static int is_there(const char *path) { return GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES; }

static void append(const char *path, const char *text) {
    FILE *file = fopen(path, "ab");
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static int says(const char *words, int code) {
    puts(words);
    return code;
}

static int show(const char *what, const char *printed) {
    return is_there(what) ? says(printed, 0) : says("No such thing.", 1);
}

static const char *adapter(void) {
    return is_there("C:\\netsh.2016") ? "vEthernet (HNS Internal NIC)" : "vEthernet (nat)";
}

int main(int count, char **words) {
    char line[2048] = "";
    for (int at = 1; at < count; at++) {
        if (strlen(line) + strlen(words[at]) + 3 > sizeof line) return 2;
        if (at > 1) strcat(line, " ");
        strcat(line, words[at]);
    }
    int is_show = strstr(line, " show ") != NULL;
    if (!is_show) {
        strcat(line, "\n");
        append("C:\\netsh.log", line);
        if (is_there("C:\\netsh.deny"))
            return says("The requested operation requires elevation (Run as administrator).", 1);
    }
    if (strstr(line, "portproxy show")) return 0;
    if (strstr(line, "interface ipv4") && !strstr(line, adapter()))
        return says("The filename, directory name, or volume label syntax is incorrect.", 1);
    if (strstr(line, "show addresses")) return says(adapter(), 0);
    if (strstr(line, "show rule")) return show(RULES, "Rule Name: berth task server");
    if (strstr(line, "ipv4 add address")) {
        if (is_there(ADDRESS)) return says("The object already exists.", 1);
        append(ADDRESS, "here");
        return 0;
    }
    if (strstr(line, "ipv4 delete address"))
        return DeleteFileA(ADDRESS) ? 0 : says("Element not found.", 1);
    /* Rules of one name add up. */
    if (strstr(line, "firewall add rule")) {
        append(RULES, "rule\n");
        return says("Ok.", 0);
    }
    if (strstr(line, "firewall delete rule"))
        return DeleteFileA(RULES) ? says("Deleted 1 rule(s).", 0) : says("No rules match the specified criteria.", 1);
    return says("The following command was not found.", 1);
}
