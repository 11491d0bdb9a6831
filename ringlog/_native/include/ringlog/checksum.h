/* CRC-32, equal to zlib.crc32, of bytes while they are copied.
 *
 * Concept: an event's checksum costs little when it is taken from the registers that carry the copy anyway, and
 * when the CPU's own instructions are used: which ones is asked at run time.
 * Guarantee: copy() stores exactly the bytes that its result is the checksum of, each taken from the source once,
 * even while another process overwrites the source. Nothing outside [src, src + size) and [dst, dst + size) is
 * read or written. Stores are ordinary ones: a release store publishes them. Any alignment, any size, 0 too.
 * No state and no initialisation: any thread, any time.
 * Caveat: source and destination must not overlap. Asking the CPU takes longer than a short checksum: ask
 * once, keep the pointer. A source that changes meanwhile gives a consistent copy of no particular moment.
 * Usage:
 *     const rl_checksum_impl *checksum = rl_checksum_best(getauxval(AT_HWCAP));    (0 will do on x86)
 *     entry->checksum = checksum->copy(entry + 1, data, size);
 *     if (checksum->sum(data, size) != entry->checksum) ...
 */
#ifndef RINGLOG_CHECKSUM_H
#define RINGLOG_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "checksum_arm.h"
#include "checksum_portable.h"
#include "checksum_x86.h"

typedef struct rl_checksum_impl {
    const char *name; /* "vpclmulqdq", "pclmulqdq", "armcrc", "portable" */
    uint32_t (*copy)(void *dst, const void *src, size_t size);
    uint32_t (*sum)(const void *src, size_t size);
} rl_checksum_impl;

#define RL_CHECKSUM_MAX 4

static const rl_checksum_impl rl_checksum_portable = {"portable", rl_crc_portable_copy, rl_crc_portable_sum};

#if defined(RL_CRC_HAVE_X86)
static const rl_checksum_impl rl_checksum_pclmulqdq = {"pclmulqdq", rl_crc_pclmul_copy, rl_crc_pclmul_sum};
static const rl_checksum_impl rl_checksum_vpclmulqdq = {"vpclmulqdq", rl_crc_vpclmul_copy, rl_crc_vpclmul_sum};
#endif

#if defined(RL_CRC_HAVE_ARM)
static const rl_checksum_impl rl_checksum_armcrc = {"armcrc", rl_crc_arm_copy, rl_crc_arm_sum};
#endif

/* All that this CPU can run, fastest first; their number. arm_hwcap is getauxval(AT_HWCAP), ignored but on
 * Arm: there user code can't ask the CPU itself, and this header makes no system calls. */
static inline size_t rl_checksum_available(const rl_checksum_impl *out[RL_CHECKSUM_MAX],
                                           unsigned long arm_hwcap) {
    size_t count = 0;
    (void)arm_hwcap;
#if defined(RL_CRC_HAVE_X86)
    __builtin_cpu_init();
    /* These answers include whether the operating system keeps the wide registers. */
    if (__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) {
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("vpclmulqdq") &&
            __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
            out[count++] = &rl_checksum_vpclmulqdq;
        out[count++] = &rl_checksum_pclmulqdq;
    }
#endif
#if defined(RL_CRC_HAVE_ARM)
    if (arm_hwcap & RL_CRC_ARM_HWCAP_CRC32)
        out[count++] = &rl_checksum_armcrc;
#endif
    out[count++] = &rl_checksum_portable;
    return count;
}

/* The fastest of them. */
static inline const rl_checksum_impl *rl_checksum_best(unsigned long arm_hwcap) {
    const rl_checksum_impl *available[RL_CHECKSUM_MAX];
    rl_checksum_available(available, arm_hwcap);
    return available[0];
}

#endif
