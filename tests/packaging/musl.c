/* The half of the core that asks the operating system, with musl as its C library: it can be loaded while the
 * program runs, as an extension is, and waits for a token, sleeps, and survives a file that was cut. */
#include <dlfcn.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPECT(what)                                                                                         \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            puts("not so: " #what);                                                                          \
            return 1;                                                                                        \
        }                                                                                                    \
    } while (0)

int main(int count, char **words) {
    EXPECT(count == 3);
    void *core = dlopen(words[1], RTLD_NOW);
    if (!core) {
        puts(dlerror());
        return 1;
    }
    int (*sem_wait_for)(sem_t *, int64_t) = (int (*)(sem_t *, int64_t))dlsym(core, "rl_sem_wait");
    void (*install)(void) = (void (*)(void))dlsym(core, "rl_fault_install");
    void *(*watch)(void *, size_t, int, int, int64_t, int *, int) =
        (void *(*)(void *, size_t, int, int, int64_t, int *, int))dlsym(core, "rl_fault_watch");
    EXPECT(sem_wait_for && install && watch);

    sem_t sem;
    sem_init(&sem, 0, 1);
    EXPECT(sem_wait_for(&sem, 1000000) == 1);
    EXPECT(sem_wait_for(&sem, 1000000) == 0);

    enum { BYTES = 65536 };
    int broken = 0, fd = open(words[2], O_RDWR | O_CREAT, 0600);
    EXPECT(fd >= 0 && ftruncate(fd, BYTES) == 0);
    volatile char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(memory != MAP_FAILED);
    install();
    EXPECT(watch((void *)memory, BYTES, PROT_READ | PROT_WRITE, fd, BYTES, &broken, 1));
    memory[BYTES - 1] = 7;
    EXPECT(ftruncate(fd, 0) == 0);
    EXPECT(memory[BYTES - 1] == 0); /* SIGBUS, without our handler */
    EXPECT(broken == 1);
    puts("whole");
    return 0;
}
