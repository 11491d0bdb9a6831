/* CRC-32 by eight tables, and the loads and stores that all kernels share.
 *
 * Concept: eight bytes a step, each looked up in the table of its distance from the end ("slicing by 8").
 * Guarantee: equal to zlib.crc32; copies and sums the same bytes, each loaded once. Any little-endian CPU.
 * Caveat: a tenth of the speed of the other kernels, and 8 KiB of tables in the cache.
 * Usage: through checksum.h.
 */
#ifndef RINGLOG_CHECKSUM_PORTABLE_H
#define RINGLOG_CHECKSUM_PORTABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "checksum_tables.h"

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ringlog's streams and this checksum are little-endian"
#endif

/* The source may be shared memory that its writer overtakes while it is read. A compiler may assume that it
 * stands still and load it twice, once to store and once to sum; hiding where the value came from forbids it. */
#define RL_CRC_LOADED(value) __asm__("" : "+r"(value))

#define RL_CRC_INLINE static inline __attribute__((always_inline))

RL_CRC_INLINE uint64_t rl_crc_load8(const uint8_t *from) {
    uint64_t value;
    memcpy(&value, from, sizeof value);
    RL_CRC_LOADED(value);
    return value;
}

RL_CRC_INLINE uint32_t rl_crc_load4(const uint8_t *from) {
    uint32_t value;
    memcpy(&value, from, sizeof value);
    RL_CRC_LOADED(value);
    return value;
}

RL_CRC_INLINE uint32_t rl_crc_load2(const uint8_t *from) {
    uint16_t value;
    memcpy(&value, from, sizeof value);
    RL_CRC_LOADED(value);
    return value;
}

RL_CRC_INLINE uint32_t rl_crc_load1(const uint8_t *from) {
    uint8_t value = *from;
    RL_CRC_LOADED(value);
    return value;
}

RL_CRC_INLINE void rl_crc_store8(uint8_t *to, uint64_t value) {
    memcpy(to, &value, sizeof value);
}

/* 0 to 7 bytes in the low end of a word, zeros above: pieces of 4, 2 and 1. */
RL_CRC_INLINE uint64_t rl_crc_load_short(const uint8_t *from, size_t size) {
    uint64_t value = 0;
    unsigned at = 0;
    if (size & 4) {
        value = rl_crc_load4(from);
        at = 4;
    }
    if (size & 2) {
        value |= (uint64_t)rl_crc_load2(from + at) << (8 * at);
        at += 2;
    }
    if (size & 1)
        value |= (uint64_t)rl_crc_load1(from + at) << (8 * at);
    return value;
}

RL_CRC_INLINE void rl_crc_store_short(uint8_t *to, uint64_t value, size_t size) {
    if (size & 4) {
        uint32_t low = (uint32_t)value;
        memcpy(to, &low, sizeof low);
        to += 4;
        value >>= 32;
    }
    if (size & 2) {
        uint16_t low = (uint16_t)value;
        memcpy(to, &low, sizeof low);
        to += 2;
        value >>= 16;
    }
    if (size & 1)
        *to = (uint8_t)value;
}

RL_CRC_INLINE uint32_t rl_crc_slice8(uint64_t word) {
    return rl_crc_slice[7][word & 255] ^ rl_crc_slice[6][word >> 8 & 255] ^
           rl_crc_slice[5][word >> 16 & 255] ^ rl_crc_slice[4][word >> 24 & 255] ^
           rl_crc_slice[3][word >> 32 & 255] ^ rl_crc_slice[2][word >> 40 & 255] ^
           rl_crc_slice[1][word >> 48 & 255] ^ rl_crc_slice[0][word >> 56];
}

RL_CRC_INLINE uint32_t rl_crc_portable_run(uint8_t *dst, const uint8_t *src, size_t size, int copying) {
    uint32_t crc = 0xFFFFFFFFu;
    for (; size >= 8; size -= 8, src += 8) {
        uint64_t word = rl_crc_load8(src);
        if (copying) {
            rl_crc_store8(dst, word);
            dst += 8;
        }
        crc = rl_crc_slice8(word ^ crc);
    }
    if (size) {
        uint64_t word = rl_crc_load_short(src, size);
        if (copying)
            rl_crc_store_short(dst, word, size);
        /* One step for all 1..7 bytes: zeros in front of them look up zeros. What the shift drops is the
         * part of the register that fewer than four bytes only move. */
        crc = rl_crc_slice8((word ^ crc) << (64 - 8 * size)) ^ (uint32_t)((uint64_t)crc >> (8 * size));
    }
    return ~crc;
}

static inline uint32_t rl_crc_portable_copy(void *dst, const void *src, size_t size) {
    return rl_crc_portable_run((uint8_t *)dst, (const uint8_t *)src, size, 1);
}

static inline uint32_t rl_crc_portable_sum(const void *src, size_t size) {
    return rl_crc_portable_run(NULL, (const uint8_t *)src, size, 0);
}

#endif
