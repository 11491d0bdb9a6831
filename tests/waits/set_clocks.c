/* set_clocks.c: preloaded, it shows a process other clocks than the machine's.
 *
 * The file that RINGLOG_CLOCKS names holds two int64: nanoseconds that CLOCK_REALTIME, and that CLOCK_MONOTONIC,
 * are ahead. A test moves them while the process runs. The kernel knows nothing of it, so times on the monotonic
 * clock that go to the kernel are moved back on the way. CLOCK_BOOTTIME is shown as it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static const int64_t none[2];
static const volatile int64_t *ahead = none; /* of realtime, of monotonic */

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RINGLOG_CLOCKS");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd >= 0 ? mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (at == MAP_FAILED)
        abort();
    ahead = at;
    close(fd);
}

static void move(struct timespec *t, int64_t by) {
    int64_t ns = (int64_t)t->tv_sec * SECOND + t->tv_nsec + by;
    t->tv_sec = ns / SECOND;
    t->tv_nsec = ns % SECOND;
}

int clock_gettime(clockid_t id, struct timespec *t) {
    int result = (int)syscall(SYS_clock_gettime, id, t);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        move(t, ahead[0]);
    if (result == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
        move(t, ahead[1]);
    return result;
}

int gettimeofday(struct timeval *t, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t)
        *t = now.tv_sec;
    return now.tv_sec;
}

/* ---- waits until a moment ---- */

int sem_clockwait(sem_t *sem, clockid_t id, const struct timespec *until) {
    static int (*known)(sem_t *, clockid_t, const struct timespec *);
    struct timespec t = *until;
    if (!known)
        known = (int (*)(sem_t *, clockid_t, const struct timespec *))dlsym(RTLD_NEXT, "sem_clockwait");
    move(&t, -ahead[id == CLOCK_MONOTONIC]);
    return known(sem, id, &t);
}

int sem_timedwait(sem_t *sem, const struct timespec *until) { return sem_clockwait(sem, CLOCK_REALTIME, until); }

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
    static int (*known)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec t = *until;
    if (!known)
        known = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(
            RTLD_NEXT, "pthread_cond_timedwait");
    move(&t, -ahead[1]); /* CPython's, and ours, are all monotonic */
    return known(cond, mutex, &t);
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *wanted, struct timespec *left) {
    static int (*known)(clockid_t, int, const struct timespec *, struct timespec *);
    struct timespec t = *wanted;
    if (!known)
        known = (int (*)(clockid_t, int, const struct timespec *, struct timespec *))dlsym(RTLD_NEXT,
                                                                                           "clock_nanosleep");
    if (flags & TIMER_ABSTIME)
        move(&t, -ahead[id == CLOCK_MONOTONIC]);
    return known(id, flags, &t, left);
}

/* futex_waitv, which has no wrapper, by way of syscall(). */
long syscall(long number, ...) {
    static long (*known)(long, ...);
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (int k = 0; k < 6; k++)
        a[k] = va_arg(arguments, long);
    va_end(arguments);
    if (!known)
        known = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    struct timespec t;
    if (number == 449 && a[3] && a[4] == CLOCK_MONOTONIC) {
        t = *(const struct timespec *)a[3];
        move(&t, -ahead[1]);
        a[3] = (long)&t;
    }
    return known(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
