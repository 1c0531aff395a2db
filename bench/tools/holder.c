// holder MIB : keeps MIB of memory touched. A host that is itself a virtual machine may hand free memory back and be slow to get it again;
// a migration's target is a process that touches fresh memory, so without a holder such a host, not the migration, is measured.
// Line "release" on standard input gives the memory to whoever asks next; "take" takes it (or what a finished source freed) back. Answers "ok".
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
    size_t size = (size_t)(argc > 1 ? atoi(argv[1]) : 1100) << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) { perror("holder"); return 1; }
    madvise(memory, size, MADV_HUGEPAGE);
    for (size_t i = 0; i < size; i += 4096) memory[i] = 1;
    puts("ok");
    fflush(stdout);
    for (char line[64]; fgets(line, sizeof line, stdin);) {
        if (strncmp(line, "release", 7) == 0) madvise(memory, size, MADV_DONTNEED);
        else for (size_t i = 0; i < size; i += 4096) memory[i] = 1;
        puts("ok");
        fflush(stdout);
    }
    return 0;
}
