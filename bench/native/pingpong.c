/* pingpong.c: how long does a word take from one core to another?
 *
 * Two processes, each tied to a core, and two cache lines between them: one says k, the other answers k. Half of
 * a round trip is the least that any message between these two cores can take.
 *
 * Usage: pingpong CORE CORE TRIPS EACH   (prints p50 and p99 of one way, in ns)
 * EACH: so many trips between two looks at the clock. 1 shows single trips, with the clock's own time in each;
 * more show the mean of so many.
 */
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct line {
    _Alignas(128) uint64_t word; /* apart: processors fetch lines in pairs */
} line;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int tie(pid_t process, int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return sched_setaffinity(process, sizeof set, &set);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    int64_t trips = atoll(argv[3]), each = atoll(argv[4]), samples = trips / each;
    line *lines = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double *took = malloc((size_t)samples * sizeof *took);
    if (lines == MAP_FAILED || !took || samples < 100)
        return 1;
    uint64_t *ping = &lines[0].word, *pong = &lines[1].word, last = (uint64_t)(samples * each);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it looks for ever */
        for (uint64_t k = 1; k <= last; k++) {
            while (__atomic_load_n(ping, __ATOMIC_ACQUIRE) != k)
                ;
            __atomic_store_n(pong, k, __ATOMIC_RELEASE);
        }
        _exit(0);
    }
    /* The child first: once we spin, it may not get this core to leave it. */
    if (child < 0 || tie(child, atoi(argv[2])) != 0 || tie(0, atoi(argv[1])) != 0)
        return 1;
    uint64_t k = 0;
    int64_t before = now();
    for (int64_t sample = 0; sample < samples; sample++) {
        for (int64_t trip = 0; trip < each; trip++) {
            __atomic_store_n(ping, ++k, __ATOMIC_RELEASE);
            while (__atomic_load_n(pong, __ATOMIC_ACQUIRE) != k)
                ;
        }
        int64_t after = now();
        took[sample] = (double)(after - before) / (double)each / 2;
        before = after;
    }
    int status;
    waitpid(child, &status, 0);
    qsort(took, (size_t)samples, sizeof *took, ascending);
    printf("%.1f %.1f\n", took[samples / 2], took[samples * 99 / 100]);
    return status;
}
