/* fault.c: a page of a ring that can't be had: an exception later instead of a signal now.
 *
 * Concept:   a file that was cut, a disk that fails and a full tmpfs end a process with SIGBUS as soon as it touches
 *            the mapped page. Our handler puts a private page of zeros in its place, notes that in a word of the
 *            mapping's owner, and returns: the instruction runs again and goes on. Whoever used the memory looks at
 *            the word before believing anything, and raises. So it works in whatever code the fault was, such as
 *            numpy's on an array in a ring.
 * Guarantee: the word is set before the zeros can be seen, so who has seen them and then looks, sees the word.
 * Caveat:    a fault elsewhere in the process is none of ours: the handlers that were there before us get it, then
 *            the default. Code that puts its handler over ours has to call ours; see own_signal() for what we do
 *            about faulthandler. A thread that blocks SIGBUS is killed by the kernel past any handler.
 *
 * Everything from find() to on_bus_error() runs inside a signal handler: no locks, no memory from the heap.
 */
#include "platform.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

/* One watched range of addresses. Never freed, used again. `version` is odd while it changes, so that the handler,
 * which can take no lock, sees base, end and the rest of one and the same use. */
struct rl_watched {
    uint32_t version, taken;
    uintptr_t base, end; /* base 0: none */
    int protection, fd;
    int64_t file_bytes; /* as long as this the file has to be */
    int *broken, bit;
};

enum { CHUNK = 64 };
typedef struct chunk {
    struct rl_watched watched[CHUNK];
    struct chunk *next;
} chunk;

static chunk first_chunk;

/* ---- the table ---- */

static struct rl_watched *take_entry(void) {
    for (chunk *c = &first_chunk;;) {
        for (int k = 0; k < CHUNK; k++)
            if (RL_SWAP(&c->watched[k].taken, 0, 1))
                return &c->watched[k];
        chunk *next = __atomic_load_n(&c->next, __ATOMIC_ACQUIRE); /* pairs with the exchange below */
        if (!next) {
            chunk *fresh = calloc(1, sizeof *fresh);
            if (!fresh)
                return NULL;
            /* Release: whoever follows the link, the handler too, finds zeros. */
            if (__atomic_compare_exchange_n(&c->next, &next, fresh, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                next = fresh;
            else
                free(fresh); /* `next` is what another thread put there */
        }
        c = next;
    }
}

/* ---- the handler ---- */

enum { MOST_PREVIOUS = 8 };
static struct sigaction previous[MOST_PREVIOUS]; /* [0]: the oldest */
static int previous_count;
static uintptr_t page_bytes;
/* How many of the previous handlers this thread is inside of, and how often one has returned to the very instruction
 * and address of its last fault. By the model of TLS that allocates nothing: glibc's default one may, at the first use in
 * a thread. musl's never does, and it loads no library of the other model. */
#ifdef __GLIBC__
#define RL_OWN static __thread __attribute__((tls_model("initial-exec")))
#else
#define RL_OWN static __thread
#endif
RL_OWN int depth, returned;
RL_OWN uintptr_t last_address, last_instruction;
enum { PATIENCE = 4 }; /* then it has not helped: faulthandler, for one, returns at once when it was disabled */

static struct rl_watched *find(uintptr_t address) {
    for (chunk *c = &first_chunk; c; c = __atomic_load_n(&c->next, __ATOMIC_ACQUIRE))
        for (int k = 0; k < CHUNK; k++) {
            struct rl_watched *w = &c->watched[k];
            uint32_t version = RL_LOAD_ACQUIRE(&w->version); /* pairs with the release in rl_fault_watch */
            uintptr_t base = RL_LOAD_RELAXED(&w->base), end = RL_LOAD_RELAXED(&w->end);
            RL_FENCE_ACQUIRE(); /* pairs with the release fence there: other fields show another version */
            if (base && base <= address && address < end && !(version & 1) && RL_LOAD_RELAXED(&w->version) == version)
                return w;
        }
    return NULL;
}

/* 1: zeros are there now. */
static int put_zeros(struct rl_watched *w, uintptr_t address) {
    void *page = (void *)(address / page_bytes * page_bytes);
    int *broken = w->broken;
    /* Before the zeros: pairs with the look at the word behind the acquire fence of rl_intact. */
    (void)RL_FETCH_OR(broken, w->bit);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
    uintptr_t base = w->base, end = w->end;
    /* No more mappings to be had: then one for all of it. */
    return mmap(page, page_bytes, w->protection, flags, -1, 0) != MAP_FAILED ||
           mmap((void *)base, end - base, w->protection, flags, -1, 0) != MAP_FAILED;
}

static int a_file_was_cut(void) {
    for (chunk *c = &first_chunk; c; c = __atomic_load_n(&c->next, __ATOMIC_ACQUIRE))
        for (int k = 0; k < CHUNK; k++) {
            struct rl_watched *w = &c->watched[k];
            struct stat st;
            if (RL_LOAD_RELAXED(&w->base) && fstat(RL_LOAD_RELAXED(&w->fd), &st) == 0 &&
                st.st_size < RL_LOAD_RELAXED(&w->file_bytes))
                return 1;
        }
    return 0;
}

/* A handler that was put over ours, as by faulthandler.enable() after a ring was opened, has had its say, put us
 * back in place, and raises the signal anew: without an address. If we return from that, so does it, and the
 * faulting instruction runs again and comes to us with one. It is that case if the signal was raised on the stack
 * that only handlers run on, or if a fault in a ring is to be expected. */
static int own_signal(const siginfo_t *info, void *context) {
    if (info->si_code > 0 || info->si_pid != getpid())
        return 0;
    stack_t stack;
    uintptr_t at = 0;
#if defined(__x86_64__)
    at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.sp;
#else
    (void)context;
#endif
    if (sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE) && at > (uintptr_t)stack.ss_sp &&
        at <= (uintptr_t)stack.ss_sp + stack.ss_size)
        return 1;
    return a_file_was_cut();
}

static uintptr_t instruction_of(void *context) {
#if defined(__x86_64__)
    return (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)((ucontext_t *)context)->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

static void by_default(const siginfo_t *info) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(SIGBUS, &action, NULL);
    if (info->si_code <= 0)
        raise(SIGBUS);
    /* else: the instruction that faulted does it again, and the core shows it */
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
    int saved = errno;
    if (info->si_code > 0)
        depth = 0; /* an instruction's own: not raised by one that we called, or left by longjmp */
    struct rl_watched *w = info->si_code > 0 ? find((uintptr_t)info->si_addr) : NULL;
    if (!(w && put_zeros(w, (uintptr_t)info->si_addr)) && (w || depth || !own_signal(info, context))) {
        if (info->si_code > 0) {
            uintptr_t address = (uintptr_t)info->si_addr, instruction = instruction_of(context);
            returned = address == last_address && instruction == last_instruction ? returned + 1 : 0;
            last_address = address;
            last_instruction = instruction;
        }
        /* One that restores what was before it and raises again comes back here, one deeper: so the next is
         * an older one. So it is if one has come back from there and helped nothing. */
        int outer = depth, which = RL_LOAD_RELAXED(&previous_count) - 1 - depth - returned / PATIENCE;
        const struct sigaction *action = which >= 0 ? &previous[which] : NULL;
        depth = outer + 1;
        if (action && action->sa_flags & SA_SIGINFO)
            action->sa_sigaction(number, info, context);
        else if (action && action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN)
            action->sa_handler(number);
        else if (!action || action->sa_handler == SIG_DFL || info->si_code > 0)
            by_default(info);
        depth = outer; /* whatever a fault in there has made of it */
    }
    errno = saved;
}

void rl_fault_install(void) {
    struct sigaction now, ours = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    if (sigaction(SIGBUS, NULL, &now) < 0 || (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_bus_error))
        return;
    int count = previous_count;
    for (int k = 0; k < count; k++) /* known already: who enables it again wants it once */
        if (previous[k].sa_sigaction == now.sa_sigaction) {
            for (; k + 1 < count; k++)
                previous[k] = previous[k + 1];
            count--;
        }
    if (count == MOST_PREVIOUS)
        count--;
    previous[count] = now;
    RL_STORE_RELEASE(&previous_count, count + 1); /* pairs with nothing but this thread's own handler */
    page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&ours.sa_mask);
    sigaction(SIGBUS, &ours, NULL);
}

/* ---- what others call ---- */

struct rl_watched *rl_fault_watch(void *base, size_t bytes, int protection, int fd, int64_t file_bytes, int *broken,
                                  int bit) {
    struct rl_watched *w = take_entry();
    if (!w)
        return NULL;
    RL_STORE_RELAXED(&w->version, w->version + 1);
    RL_FENCE_RELEASE(); /* pairs with the acquire fence in find() */
    w->protection = protection;
    w->fd = fd;
    w->file_bytes = file_bytes;
    w->broken = broken;
    w->bit = bit;
    RL_STORE_RELAXED(&w->end, (uintptr_t)base + bytes);
    RL_STORE_RELAXED(&w->base, (uintptr_t)base);
    RL_STORE_RELEASE(&w->version, w->version + 1); /* pairs with the acquire in find() */
    return w;
}

void rl_fault_unwatch(struct rl_watched *w) {
    if (!w)
        return;
    RL_STORE_RELAXED(&w->base, 0);
    RL_STORE_RELEASE(&w->taken, 0); /* pairs with the swap in take_entry: whoever takes it writes behind us */
}
