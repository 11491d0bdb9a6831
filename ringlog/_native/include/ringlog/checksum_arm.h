/* CRC-32 by the CRC instructions of ARMv8.
 *
 * Concept: crc32x takes eight bytes a step, and the instruction's polynomial is this one.
 * Guarantee: equal to zlib.crc32; copies and sums the same bytes, each loaded once. Needs no -march flag.
 * Caveat: one chain of dependent steps, two or three cycles each. Several chains side by side would need a
 * multiplication to join them; that has not been measured on such a machine, so it is not here.
 * Usage: through checksum.h, which asks the hardware capabilities first.
 */
#ifndef RINGLOG_CHECKSUM_ARM_H
#define RINGLOG_CHECKSUM_ARM_H

#include "checksum_portable.h"

#if defined(__aarch64__)
#define RL_CRC_HAVE_ARM 1

#if defined(__clang__)
/* clang's arm_acle.h may hide these when the command line does not name the feature. */
#define RL_CRC_ARM_TARGET __attribute__((target("crc")))
#define RL_CRC_ARM8 __builtin_arm_crc32d
#define RL_CRC_ARM4 __builtin_arm_crc32w
#define RL_CRC_ARM2 __builtin_arm_crc32h
#define RL_CRC_ARM1 __builtin_arm_crc32b
#else
#include <arm_acle.h>
#define RL_CRC_ARM_TARGET __attribute__((target("+crc")))
#define RL_CRC_ARM8 __crc32d
#define RL_CRC_ARM4 __crc32w
#define RL_CRC_ARM2 __crc32h
#define RL_CRC_ARM1 __crc32b
#endif

#define RL_CRC_ARM_HWCAP_CRC32 (1UL << 7) /* HWCAP_CRC32 of <asm/hwcap.h> */

RL_CRC_ARM_TARGET RL_CRC_INLINE uint32_t rl_crc_arm_run(uint8_t *dst, const uint8_t *src, size_t size,
                                                        int copying) {
    uint32_t crc = 0xFFFFFFFFu;
    /* 32 bytes a turn: the loads and stores then pair up, and the loop's own cost hides behind the chain. */
    for (; size >= 32; size -= 32, src += 32) {
        uint64_t a = rl_crc_load8(src), b = rl_crc_load8(src + 8);
        uint64_t c = rl_crc_load8(src + 16), d = rl_crc_load8(src + 24);
        if (copying) {
            rl_crc_store8(dst, a);
            rl_crc_store8(dst + 8, b);
            rl_crc_store8(dst + 16, c);
            rl_crc_store8(dst + 24, d);
            dst += 32;
        }
        crc = RL_CRC_ARM8(RL_CRC_ARM8(RL_CRC_ARM8(RL_CRC_ARM8(crc, a), b), c), d);
    }
    for (; size >= 8; size -= 8, src += 8) {
        uint64_t word = rl_crc_load8(src);
        if (copying) {
            rl_crc_store8(dst, word);
            dst += 8;
        }
        crc = RL_CRC_ARM8(crc, word);
    }
    if (size) {
        uint64_t word = rl_crc_load_short(src, size);
        if (copying)
            rl_crc_store_short(dst, word, size);
        if (size & 4) {
            crc = RL_CRC_ARM4(crc, (uint32_t)word);
            word >>= 32;
        }
        if (size & 2) {
            crc = RL_CRC_ARM2(crc, (uint16_t)word);
            word >>= 16;
        }
        if (size & 1)
            crc = RL_CRC_ARM1(crc, (uint8_t)word);
    }
    return ~crc;
}

RL_CRC_ARM_TARGET static inline uint32_t rl_crc_arm_copy(void *dst, const void *src, size_t size) {
    return rl_crc_arm_run((uint8_t *)dst, (const uint8_t *)src, size, 1);
}

RL_CRC_ARM_TARGET static inline uint32_t rl_crc_arm_sum(const void *src, size_t size) {
    return rl_crc_arm_run(NULL, (const uint8_t *)src, size, 0);
}

#endif
#endif
