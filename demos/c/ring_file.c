/* ring_file.c: attaching to a ring and letting go: the checks, the mapping, the semaphore. As files.py and lock.py do
 * it. */
#include "ring_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static void prepare(void) { (void)rl_install_fork_hooks(); }

static const rl_checksum_impl *best_checksum(void) {
#if defined(__aarch64__)
    return rl_checksum_best(getauxval(AT_HWCAP));
#else
    return rl_checksum_best(0);
#endif
}

int64_t ring_deadline(int64_t timeout) {
    int64_t now = rl_monotonic();
    return timeout < 0 || timeout > INT64_MAX - now ? INT64_MAX : now + timeout;
}

/* ---- the file ---- */

static int in_use(const rl_mapping *m) {
    for (uint64_t slot = 0; slot < RL_MAX_WRITERS; slot++)
        if (rl_lease_held(m, (int64_t)ring_writer_byte(slot)))
            return 1;
    for (uint64_t slot = 0; slot < m->ring.max_readers; slot++)
        if (rl_lease_held(m, (int64_t)ring_reader_byte(slot)))
            return 1;
    return 0;
}

/* Has the machine restarted since? Then only what is surely on disk counts, and to find that out is Python's part. */
static int outlived_its_boot(const rl_mapping *m) {
    static const uint8_t unknown[16];
    uint8_t now[16] = {0};
    char text[64] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file) {
        int digits = 0;
        if (fgets(text, sizeof text, file))
            for (const char *at = text; *at && digits < 32; at++) {
                const char *hex = "0123456789abcdef", *found = *at == '-' ? NULL : strchr(hex, *at);
                if (found)
                    now[digits / 2] = (uint8_t)(now[digits / 2] << 4 | (uint8_t)(found - hex)), digits++;
            }
        fclose(file);
    }
    const uint8_t *then = m->ring.header->boot_id;
    return memcmp(now, then, 16) != 0 && memcmp(now, unknown, 16) != 0 && memcmp(then, unknown, 16) != 0 &&
           !in_use(m);
}

static int attach(rl_mapping *m, const char *path, int flags, int mode) {
    rl_header seen;
    const char *why;
    pthread_once(&prepared, prepare);
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO would block, and is no ring */
    if (fd < 0)
        return errno == EISDIR ? -EPROTO : -errno;
    int status = rl_header_probe(fd, &seen, &why);
    int error = status < 0                                           ? status
                : status == RL_NOT_RING || status == RL_OTHER_VERSION ? -EPROTO
                : status == RL_TRUNCATED                              ? -EIO
                : status != RL_OK                                     ? -EBADMSG
                                                                      : rl_mapping_open(m, fd, mode, 1);
    close(fd);
    if (!error && outlived_its_boot(m)) {
        rl_mapping_close(m);
        error = -ESTALE;
    }
    return error;
}

/* ---- writers ---- */

int ring_writer_open(ring_writer **out, const char *path) {
    ring_writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    int error = attach(&w->map, path, O_RDWR, RL_MAP_WRITE);
    if (error) {
        free(w);
        return error;
    }
    w->sum = best_checksum();
    w->named_stride = -1;
    w->fork_generation = rl_fork_generation();
    memcpy(w->semaphore_name, "/ringlog-", 9);
    for (int k = 0; k < 16; k++)
        snprintf(w->semaphore_name + 9 + 2 * k, 3, "%02x", w->map.ring.header->file_id[k]);
    ring_semaphore_open(w);
    error = ring_claim_writer_slot(w);
    if (error) {
        ring_writer_close(w);
        return error;
    }
    *out = w;
    return 0;
}

void ring_writer_close(ring_writer *w) {
    if (!w)
        return;
    if (w->slot && w->fork_generation == rl_fork_generation()) {
        uint64_t epoch = rl_owner_epoch(w->me);
        (void)RL_SWAP(&w->slot->state, RL_SLOT_STATE(epoch, RL_SLOT_ACTIVE), RL_SLOT_STATE(epoch, RL_SLOT_FREE));
    }
    rl_lease_drop(&w->lease);
    ring_semaphore_close(w);
    rl_mapping_close(&w->map);
    free(w);
}

/* Made by one who may write the ring? Whoever owns it could cut it, which ends its users with a signal. 0: no. */
static ino_t trusted_semaphore(const ring_writer *w) {
    char file[80];
    struct stat semaphore, ring;
    snprintf(file, sizeof file, "/dev/shm/sem.%s", w->semaphore_name + 1);
    if (lstat(file, &semaphore) < 0 || fstat(w->map.fd, &ring) < 0 || !S_ISREG(semaphore.st_mode))
        return 0;
    int ours = semaphore.st_uid == ring.st_uid || semaphore.st_uid == 0 || semaphore.st_uid == geteuid();
    return ours || ring.st_mode & (S_IWGRP | S_IWOTH) ? semaphore.st_ino : 0;
}

void ring_semaphore_open(ring_writer *w) {
    ino_t before = trusted_semaphore(w);
    sem_t *named = before ? sem_open(w->semaphore_name, 0) : SEM_FAILED;
    if (named != SEM_FAILED && trusted_semaphore(w) == before) {
        w->semaphore = named;
        return;
    }
    if (named != SEM_FAILED)
        sem_close(named);
    sem_init(&w->own, 0, 0); /* the first wait for it is short, and our post then brings the one token */
    w->semaphore = &w->own;
}

void ring_semaphore_close(ring_writer *w) {
    if (w->semaphore == &w->own)
        sem_destroy(&w->own);
    else if (w->semaphore)
        sem_close(w->semaphore);
    w->semaphore = NULL;
}

/* ---- readers ---- */

int ring_reader_open(ring_reader **out, const char *path, int flags) {
    ring_reader *r = calloc(1, sizeof *r);
    rl_place place = {0, 0};
    if (!r)
        return -ENOMEM;
    r->announce = 1;
    int error = attach(&r->map, path, O_RDWR, RL_MAP_ANNOUNCE);
    if ((error == -EACCES || error == -EPERM || error == -EROFS) && !(flags & RING_LOSSLESS)) {
        r->announce = 0;
        error = attach(&r->map, path, O_RDONLY, RL_MAP_READ);
    }
    if (error) {
        free(r);
        return error;
    }
    r->sum = best_checksum();
    r->fork_generation = rl_fork_generation();
    if (flags & RING_LOSSLESS)
        error = ring_claim_reader_slot(r);
    if (!error && !(flags & RING_OLDEST ? rl_tail(&r->map.ring, &place) : rl_head(&r->map.ring, &place)))
        error = -EBADMSG;
    if (!error && r->slot && !rl_cursor_join(&r->map.ring, r->slot, r->index, &place))
        error = -EBADMSG;
    if (error) {
        ring_reader_close(r);
        return error;
    }
    rl_reader_place(&r->at, place);
    *out = r;
    return 0;
}

void ring_reader_close(ring_reader *r) {
    if (!r)
        return;
    if (r->slot && r->fork_generation == rl_fork_generation()) {
        uint64_t state = RL_LOAD_RELAXED(&r->slot->state);
        (void)ring_release_reader(&r->map, r->slot, state);
    }
    rl_lease_drop(&r->lease);
    rl_mapping_close(&r->map);
    free(r->buffer);
    free(r);
}
