/* wait.c as it is built where the C library has no sem_clockwait: waits for a token by the monotonic clock all
 * the same. sem_timedwait, which goes by the clock that people set, must not be called. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "platform.h"

int sem_timedwait(sem_t *sem, const struct timespec *until) {
    (void)sem, (void)until;
    puts("sem_timedwait was called");
    exit(1);
}

#define EXPECT(what)                                                                                         \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            puts("not so: " #what);                                                                          \
            return 1;                                                                                        \
        }                                                                                                    \
    } while (0)

int main(void) {
    sem_t sem;
    sem_init(&sem, 0, 1);
    EXPECT(rl_sem_wait(&sem, 0) == 1);
    EXPECT(rl_sem_wait(&sem, 0) == 0);
    int64_t before = rl_monotonic();
    EXPECT(rl_sem_wait(&sem, 30000000) == 0);
    EXPECT(rl_monotonic() - before >= 30000000);
    sem_post(&sem);
    EXPECT(rl_sem_wait(&sem, 20000000000) == 1);
    EXPECT(rl_monotonic() - before < 20000000000);
    return 0;
}
