/* store_recorder.c: writes down every store to a ring file, or to a log's files, and every sync, in their order.
 *
 * Concept:   loaded by LD_PRELOAD. Shared writable mappings of a ring are made read-only behind the program's
 *            back. A store faults; the page is opened, the one instruction is stepped over, the page is closed
 *            again, and what has changed is noted. msync, fsync, pwrite and linkat are noted as they pass; of a
 *            log's files also write, their sizes, and what is done to names (name_recorder.h).
 * Guarantee: on x86-64 the log holds the file's content after every single store instruction. Elsewhere, where
 *            no instruction can be stepped over from within, it holds what changed between two noted calls.
 *            The log is a shared mapping: it survives kill -9 of the process, at that very store.
 * Caveat:    one ring, or one log, at a time. A system call that writes into the ring's memory (read into a claim) fails
 *            with EFAULT, as the kernel does not fault as a store does.
 * Usage:     recorder_begin(log, folder); ...use ringlog, in this process or forked ones...; recorder_end();
 *            recorder.py reads the log. folder: whose files are recorded; "": the first ring.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096u
#define LARGEST_FILE (1u << 20)
#define LARGEST_LOG (1ull << 31) /* sparse */
#define REGIONS 256
#define FILES 96
#define STEPS_OPEN 4

typedef struct File {
    uint64_t inode, size; /* inode 0: it is gone */
    uint64_t largest;     /* size that it had: what was cut off is synced, too */
} File;

typedef struct Log { /* shared with forked processes, and with whoever reads the file */
    uint64_t used;   /* bytes of records */
    uint64_t stores;
    uint64_t kill_at;   /* the store behind which the process is killed; 0: none */
    uint64_t fail_sync; /* how many syncs from here on, this one included, until one fails; 0: none */
    uint64_t unseen;    /* bytes that changed without a store that was seen */
    uint64_t file_count;
    File files[FILES];
    char folder[1024]; /* of a log; empty: a ring is recorded */
    uint8_t padding[2 * PAGE - 48 - FILES * sizeof(File) - 1024];
    uint8_t shadows[FILES][LARGEST_FILE]; /* the files as the log has them so far */
    uint8_t records[];
} Log;

typedef struct Record {
    uint16_t kind, file;
    uint32_t size; /* of the bytes that follow, padded to 8 */
    uint64_t offset, extra;
} Record;

typedef struct Region {
    uintptr_t start, end;
    uint64_t offset; /* in the file */
    int file;
} Region;

static Log *journal;
static Region regions[REGIONS];
static int busy; /* held from a store's fault until it has been stepped over */
static __thread uintptr_t open_pages[STEPS_OPEN] __attribute__((tls_model("initial-exec")));
static __thread int opened __attribute__((tls_model("initial-exec")));

static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
static int (*real_munmap)(void *, size_t);
static int (*real_msync)(void *, size_t, int);
static int (*real_fsync)(int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static void *(*real_mremap)(void *, size_t, size_t, int, ...);

static void find_real_name_calls(void);

__attribute__((constructor)) static void find_real_calls(void) {
    real_mmap = dlsym(RTLD_NEXT, "mmap");
    real_munmap = dlsym(RTLD_NEXT, "munmap");
    real_msync = dlsym(RTLD_NEXT, "msync");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    find_real_name_calls();
    real_mremap = dlsym(RTLD_NEXT, "mremap");
}

static void lock(void) {
    while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
static void unlock(void) { __atomic_store_n(&busy, 0, __ATOMIC_RELEASE); }

/* ---- the log ---- */

static void note(char kind, int file, uint64_t offset, uint64_t extra, const void *bytes, uint32_t size) {
    Record record = {(uint16_t)kind, (uint16_t)file, size, offset, extra};
    uint8_t *to = journal->records + journal->used;
    if (journal->used + sizeof record + size + 8 > LARGEST_LOG)
        return; /* the reader of the log sees that its end is missing */
    memcpy(to, &record, sizeof record);
    if (size)
        memcpy(to + sizeof record, bytes, size);
    __atomic_store_n(&journal->used, journal->used + sizeof record + ((size + 7u) & ~7u), __ATOMIC_RELEASE);
}

/* What has changed in a page of the file, which is mapped at `at`. 0: nothing. */
static uint32_t note_page(int file, uint64_t offset, const uint8_t *at, int seen) {
    uint8_t *shadow = journal->shadows[file] + offset;
    uint32_t first = 0, last = PAGE;
    while (first < PAGE && shadow[first] == at[first])
        first++;
    while (last > first && shadow[last - 1] == at[last - 1])
        last--;
    if (seen || last > first)
        note('S', file, offset + first % PAGE, (uint64_t)!seen, at + first % PAGE, last - first);
    memcpy(shadow + first % PAGE, at + first % PAGE, last - first);
    return last - first;
}

/* Note what was changed by something else than a store that we saw: normally nothing. */
static void note_unseen(void) {
    for (int k = 0; k < REGIONS; k++)
        for (uintptr_t at = regions[k].start; at < regions[k].end; at += PAGE) {
            uint64_t offset = regions[k].offset + (at - regions[k].start);
            if (offset >= journal->files[regions[k].file].size)
                break; /* a log is mapped further than its file goes */
            if (memcmp(journal->shadows[regions[k].file] + offset, (void *)at, PAGE) != 0)
                journal->unseen += note_page(regions[k].file, offset, (void *)at, 0);
        }
}

/* ---- stores ---- */

#if defined(__x86_64__)
#define STORED_PROTECTION PROT_READ
#define TRAP_FLAG 0x100

static Region *region_of(uintptr_t address) {
    for (int k = 0; k < REGIONS; k++)
        if (address >= regions[k].start && address < regions[k].end)
            return &regions[k];
    return NULL;
}

static void on_fault(int number, siginfo_t *info, void *context) {
    uintptr_t page = (uintptr_t)info->si_addr / PAGE * PAGE;
    (void)number;
    if (!journal || !region_of((uintptr_t)info->si_addr) || opened == STEPS_OPEN) {
        signal(SIGSEGV, SIG_DFL); /* a fault as any other: it comes again, and ends the process */
        return;
    }
    if (!opened)
        lock();
    open_pages[opened++] = page;
    mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    while (opened) {
        uintptr_t page = open_pages[--opened];
        Region *region = region_of(page);
        note_page(region->file, region->offset + (page - region->start), (void *)page, 1);
        mprotect((void *)page, PAGE, PROT_READ);
    }
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    if (++journal->stores == journal->kill_at)
        kill(getpid(), SIGKILL);
    unlock();
}

static void watch_stores(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, NULL);
    action.sa_sigaction = on_step;
    sigfillset(&action.sa_mask);
    sigaction(SIGTRAP, &action, NULL);
}
#else
#define STORED_PROTECTION (PROT_READ | PROT_WRITE)
static void watch_stores(void) {}
#endif

/* ---- which memory is the ring's ---- */

static void forget(uintptr_t start, uintptr_t end) {
    for (int k = 0; k < REGIONS; k++) {
        Region *r = &regions[k], old = *r;
        if (old.start >= end || old.end <= start)
            continue;
        r->end = old.start < start ? start : old.start;
        if (old.end > end)
            for (int free = 0; free < REGIONS; free++)
                if (regions[free].start == regions[free].end) {
                    regions[free] = (Region){end, old.end, old.offset + (end - old.start), old.file};
                    break;
                }
    }
}

static int live_file(uint64_t inode) {
    for (uint64_t k = 0; k < journal->file_count; k++)
        if (journal->files[k].inode == inode)
            return (int)k;
    return -1;
}

/* Is this the ring? The first one that comes is. Of a log: does the file lie in its folder? */
static int is_ours(int fd) {
    char link[64], path[1024], magic[8];
    size_t folder = strlen(journal->folder);
    if (!folder)
        return !journal->file_count && pread(fd, magic, 8, 64) == 8 && memcmp(magic, "ringlog\n", 8) == 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    return length > (ssize_t)folder && memcmp(path, journal->folder, folder) == 0 && path[folder] == '/';
}

/* The number of a file that is recorded, or -1. */
static int file_of(int fd) {
    struct stat st;
    int saved = errno, found = -1;
    if (journal && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= LARGEST_FILE) {
        found = live_file(st.st_ino);
        if (found < 0 && is_ours(fd) && journal->file_count < FILES) {
            found = (int)journal->file_count++;
            journal->files[found] = (File){st.st_ino, (uint64_t)st.st_size, (uint64_t)st.st_size};
            if (!journal->folder[0] && !st.st_nlink)
                return found; /* a ring that is being made: whoever writes to it notes that */
            if (st.st_size && pread(fd, journal->shadows[found], (size_t)st.st_size, 0) < 0)
                journal->unseen++;
            note('B', found, 0, (uint64_t)st.st_size, journal->shadows[found], (uint32_t)st.st_size);
        }
    }
    errno = saved;
    return found;
}

void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset) {
    int shared = (flags & MAP_TYPE) == MAP_SHARED && fd >= 0 && protection & PROT_WRITE;
    int file = shared ? file_of(fd) : -1;
    if (!real_mmap) /* before our constructor has run */
        real_mmap = dlsym(RTLD_NEXT, "mmap");
    void *at = real_mmap(where, size, file >= 0 ? STORED_PROTECTION : protection, flags, fd, offset);
    if (at == MAP_FAILED || !journal || !(file >= 0 || flags & MAP_FIXED))
        return at;
    lock();
    forget((uintptr_t)at, (uintptr_t)at + size);
    for (int k = 0; file >= 0 && k < REGIONS; k++)
        if (regions[k].start == regions[k].end) {
            regions[k] = (Region){(uintptr_t)at, (uintptr_t)at + size, (uint64_t)offset, file};
            break;
        }
    unlock();
    return at;
}

void *mmap64(void *where, size_t size, int protection, int flags, int fd, off_t offset) {
    return mmap(where, size, protection, flags, fd, offset);
}

static void forget_if_recorded(void *at, size_t size) {
    if (!journal)
        return;
    lock();
    forget((uintptr_t)at, (uintptr_t)at + size);
    unlock();
}

int munmap(void *at, size_t size) {
    forget_if_recorded(at, size);
    return real_munmap(at, size);
}

void *mremap(void *from, size_t old_size, size_t size, int flags, ...) {
    va_list more;
    va_start(more, flags);
    void *to = flags & MREMAP_FIXED ? va_arg(more, void *) : NULL;
    va_end(more);
    if (to)
        forget_if_recorded(to, size);
    return real_mremap(from, old_size, size, flags, to);
}

#include "name_recorder.h"

/* ---- syncs ---- */

static int must_fail(void) {
    return journal->fail_sync && --journal->fail_sync == 0;
}

int msync(void *start, size_t size, int flags) {
    uintptr_t at = (uintptr_t)start, end = at + (size + PAGE - 1) / PAGE * PAGE;
    int found = 0, fails = 0;
    if (journal) {
        lock();
        note_unseen();
        for (; at < end; at += PAGE)
            for (int k = 0; k < REGIONS; k++)
                if (at >= regions[k].start && at < regions[k].end) {
                    note('P', regions[k].file, regions[k].offset + (at - regions[k].start), PAGE, NULL, 0);
                    found = 1;
                }
        fails = found && must_fail();
        unlock();
    }
    /* Recorded syncs go no further: what the disk would do is told from the log, and real ones only take time. */
    int result = fails ? (errno = EIO, -1) : found ? 0 : real_msync(start, size, flags);
    if (found) {
        int saved = errno;
        lock();
        note('E', 0, 0, result < 0, NULL, 0);
        unlock();
        errno = saved;
    }
    return result;
}

int fsync(int fd) {
    struct stat st;
    int file = file_of(fd), fails = 0;
    int directory = journal && file < 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    int parent = directory && journal->folder[0] && !is_folder(&st);
    if (file >= 0) {
        lock();
        note_unseen();
        for (uint64_t at = 0; at == 0 || at < journal->files[file].largest; at += PAGE)
            note('P', file, at, PAGE, NULL, 0);
        fails = must_fail();
        unlock();
    }
    int result = fails ? (errno = EIO, -1) : file >= 0 || (directory && journal->folder[0]) ? 0 : real_fsync(fd);
    if (file >= 0 || (directory && result == 0)) {
        int saved = errno;
        lock();
        note(file >= 0 ? 'E' : 'D', 0, (uint64_t)parent, result < 0, NULL, 0);
        unlock();
        errno = saved;
    }
    return result;
}

static void note_written(int file, const void *bytes, size_t size, off_t offset) {
    lock();
    memcpy(journal->shadows[file] + offset, bytes, size);
    if (journal->files[file].size < (uint64_t)offset + size) {
        set_size(file, (uint64_t)offset + size);
        note('T', file, 0, journal->files[file].size, NULL, 0);
    }
    note('S', file, (uint64_t)offset, 0, bytes, (uint32_t)size);
    unlock();
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
    int of_log = journal && journal->folder[0], file = of_log ? file_of(fd) : -1;
    ssize_t done = real_pwrite(fd, bytes, size, offset);
    if (!of_log)
        file = file_of(fd); /* a ring is known by what was written */
    if (done > 0 && file >= 0)
        note_written(file, bytes, (size_t)done, offset);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset) { return pwrite(fd, bytes, size, offset); }

/* ---- for the recorded program ---- */

__attribute__((visibility("default"))) int recorder_begin(const char *path, const char *folder) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)(sizeof(Log) + LARGEST_LOG)) < 0)
        return -1;
    void *at = real_mmap(NULL, sizeof(Log) + LARGEST_LOG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    close(fd);
    if (at == MAP_FAILED)
        return -1;
    memset(regions, 0, sizeof regions);
    strncpy(((Log *)at)->folder, folder, sizeof((Log *)at)->folder - 1);
    watch_stores();
    journal = at;
    return 0;
}

__attribute__((visibility("default"))) void recorder_end(void) {
    Log *ended = journal;
    journal = NULL;
    real_munmap(ended, sizeof(Log) + LARGEST_LOG);
}

/* A file that a log begins with, and its name, are on disk. */
__attribute__((visibility("default"))) void recorder_found(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC), file = file_of(fd);
    close(fd);
    if (file >= 0)
        note('N', file, 0, 1, name_of(path), (uint32_t)strlen(name_of(path)));
}

/* The program says where it is. */
__attribute__((visibility("default"))) void recorder_mark(const char *bytes, uint32_t size) {
    lock();
    note_unseen();
    note('M', 0, 0, 0, bytes, size);
    unlock();
}

/* Kill this process behind the store that is `more` stores away. */
__attribute__((visibility("default"))) void recorder_kill_after(uint64_t more) {
    journal->kill_at = more ? journal->stores + more : 0;
}

/* Let the sync that is `more` syncs away fail with EIO, without being done. */
__attribute__((visibility("default"))) void recorder_fail_sync(uint64_t more) { journal->fail_sync = more; }

__attribute__((visibility("default"))) uint64_t recorder_stores(void) { return journal->stores; }
