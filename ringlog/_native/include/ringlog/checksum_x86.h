/* CRC-32 by carry-less multiplication: 64 bytes at a time (AVX-512, VPCLMULQDQ) or 16 (SSE4.1, PCLMULQDQ).
 *
 * Concept: a block of the message is a polynomial, and moving it forward by d bytes is multiplying it by
 * x^(8d) modulo P: two multiplications a 16-byte lane, for any d. Blocks are so added up in a few
 * registers far from each other, then moved to the message's end, where they make one 95-bit polynomial that
 * a Barrett reduction brings to 32 bits. The last 1..64 bytes stay at the front of their register: their
 * multipliers, negative powers of x where needed, put the message's end where it is, so that a tail needs no
 * shuffle and no loop. tools/make_crc_tables.py derives all multipliers and says why they are right.
 * Guarantee: equal to zlib.crc32; what is stored is what was summed. Nothing outside the buffers is touched:
 * AVX-512 loads and stores are masked, the SSE kernel stays inside.
 * Caveat: where a masked-off byte lies in a page that isn't there, the CPU takes a slow path: no fault, but a
 * tenth of a microsecond. The SSE kernel may read the 15 bytes before a tail again to fill a register; it discards
 * them, so that they are neither summed nor stored.
 * Usage: through checksum.h, which asks the CPU first.
 */
#ifndef RINGLOG_CHECKSUM_X86_H
#define RINGLOG_CHECKSUM_X86_H

#include "checksum_portable.h"

#if defined(__x86_64__) && (defined(__clang__) ? __clang_major__ >= 7 : defined(__GNUC__) && __GNUC__ >= 9)
#define RL_CRC_HAVE_X86 1

/* In C++ GCC 12 warns of its own intrinsics, which start from a value that is undefined on purpose. */
#if defined(__cplusplus) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#define RL_CRC_SSE __attribute__((target("sse4.1,ssse3,pclmul")))
/* prfchw: a hint, which CPUs without it take as no instruction at all, so nobody has to ask for it. */
#define RL_CRC_ZMM \
    __attribute__((target("avx512f,avx512bw,avx512vl,vpclmulqdq,avx2,bmi2,sse4.1,pclmul,prfchw")))

/* As RL_CRC_LOADED, for vector registers. */
#define RL_CRC_LOADED_XMM(value) __asm__("" : "+x"(value))
#define RL_CRC_LOADED_ZMM(value) __asm__("" : "+v"(value))

/* What a fold's two words become: the low half's multiplier in the low half. */
#define RL_CRC_PAIR(...) RL_CRC_PAIR_(__VA_ARGS__)
#define RL_CRC_PAIR_(low, high) _mm_set_epi64x((int64_t)(high), (int64_t)(low))

/* The 95-bit polynomial (bit k is x^(95-k)) modulo P. Bits 64..95 are reduced already; the others take an
 * exact division as power series and one multiplication back. */
RL_CRC_SSE RL_CRC_INLINE uint32_t rl_crc_reduce(__m128i sum) {
    const __m128i constants = _mm_set_epi64x((int64_t)RL_CRC_POLYNOMIAL, (int64_t)RL_CRC_INVERSE);
    __m128i quotient = _mm_clmulepi64_si128(sum, constants, 0x00);
    __m128i multiple = _mm_clmulepi64_si128(quotient, constants, 0x10);
    return ~(uint32_t)_mm_extract_epi32(_mm_xor_si128(multiple, sum), 2);
}

/* ---------------------------------------------------------------- 16 bytes at a time */

RL_CRC_SSE RL_CRC_INLINE __m128i rl_crc_move_xmm(__m128i block, __m128i by) {
    return _mm_xor_si128(_mm_clmulepi64_si128(block, by, 0x00), _mm_clmulepi64_si128(block, by, 0x11));
}

RL_CRC_SSE RL_CRC_INLINE __m128i rl_crc_finish_xmm(__m128i block, const uint32_t *row) {
    return rl_crc_move_xmm(block, _mm_cvtepu32_epi64(_mm_loadl_epi64((const __m128i *)(const void *)row)));
}

RL_CRC_SSE RL_CRC_INLINE __m128i rl_crc_load_xmm(const uint8_t *from) {
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)from);
    RL_CRC_LOADED_XMM(block);
    return block;
}

RL_CRC_SSE RL_CRC_INLINE __m128i rl_crc_take_xmm(uint8_t *dst, const uint8_t *src, size_t at, int copying) {
    __m128i block = rl_crc_load_xmm(src + at);
    if (copying)
        _mm_storeu_si128((__m128i *)(void *)(dst + at), block);
    return block;
}

/* 0 to 15 bytes at the front of a register, zeros behind them. */
RL_CRC_SSE RL_CRC_INLINE __m128i rl_crc_take_short(uint8_t *dst, const uint8_t *src, size_t size, int copying) {
    if (size < 8) {
        uint64_t word = rl_crc_load_short(src, size);
        if (copying)
            rl_crc_store_short(dst, word, size);
        return _mm_cvtsi64_si128((int64_t)word);
    }
    uint64_t low = rl_crc_load8(src), high = rl_crc_load_short(src + 8, size & 7);
    if (copying) {
        rl_crc_store8(dst, low);
        rl_crc_store_short(dst + 8, high, size & 7);
    }
    return _mm_set_epi64x((int64_t)high, (int64_t)low);
}

/* Read at r: a shuffle that brings the bytes from r on to the front, with zeros behind them. */
static const uint8_t rl_crc_shift[32] = {
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};

/* Read at r: a mask of the last r bytes. */
static const uint8_t rl_crc_last[32] = {
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

RL_CRC_SSE RL_CRC_INLINE uint32_t rl_crc_pclmul_run(uint8_t *dst, const uint8_t *src, size_t size,
                                                    int copying) {
    /* The register's start value stands in the first four bytes, even where the message is shorter. */
    const __m128i start = _mm_cvtsi32_si128(-1);
    if (size <= 16) {
        if (size == 0)
            return 0;
        __m128i block = size == 16 ? rl_crc_take_xmm(dst, src, 0, copying)
                                   : rl_crc_take_short(dst, src, size, copying);
        return rl_crc_reduce(rl_crc_finish_xmm(_mm_xor_si128(block, start), rl_crc_finish_row((unsigned)size)));
    }

    unsigned rest = (unsigned)((size - 1) & 15) + 1; /* never empty, so that it needs no case of its own */
    size_t at = 16, end = size - rest;
    __m128i last = rl_crc_take_xmm(dst, src, 0, copying); /* the block before the tail, as stored */
    __m128i sum = _mm_xor_si128(last, start);

    if (end >= 64) {
        const __m128i by64 = RL_CRC_PAIR(RL_CRC_FOLD_64);
        __m128i a = sum, b = rl_crc_take_xmm(dst, src, 16, copying), c = rl_crc_take_xmm(dst, src, 32, copying);
        __m128i d = last = rl_crc_take_xmm(dst, src, 48, copying);
        for (at = 64; end - at >= 64; at += 64) {
            a = _mm_xor_si128(rl_crc_move_xmm(a, by64), rl_crc_take_xmm(dst, src, at, copying));
            b = _mm_xor_si128(rl_crc_move_xmm(b, by64), rl_crc_take_xmm(dst, src, at + 16, copying));
            c = _mm_xor_si128(rl_crc_move_xmm(c, by64), rl_crc_take_xmm(dst, src, at + 32, copying));
            last = rl_crc_take_xmm(dst, src, at + 48, copying);
            d = _mm_xor_si128(rl_crc_move_xmm(d, by64), last);
        }
        a = _mm_xor_si128(rl_crc_move_xmm(a, RL_CRC_PAIR(RL_CRC_FOLD_48)),
                          rl_crc_move_xmm(b, RL_CRC_PAIR(RL_CRC_FOLD_32)));
        sum = _mm_xor_si128(_mm_xor_si128(a, d), rl_crc_move_xmm(c, RL_CRC_PAIR(RL_CRC_FOLD_16)));
    }
    for (; at < end; at += 16) {
        last = rl_crc_take_xmm(dst, src, at, copying);
        sum = _mm_xor_si128(rl_crc_move_xmm(sum, RL_CRC_PAIR(RL_CRC_FOLD_16)), last);
    }

    /* A whole register that ends where the message does. Its first bytes have been done: for the sum they are
     * shifted out, for the copy replaced by what was stored there. */
    __m128i whole = rl_crc_load_xmm(src + size - 16);
    __m128i tail = _mm_shuffle_epi8(whole, rl_crc_load_xmm(&rl_crc_shift[16 - rest]));
    if (copying) {
        __m128i before = _mm_shuffle_epi8(last, rl_crc_load_xmm(&rl_crc_shift[rest]));
        whole = _mm_or_si128(before, _mm_and_si128(whole, rl_crc_load_xmm(&rl_crc_last[rest])));
        _mm_storeu_si128((__m128i *)(void *)(dst + size - 16), whole);
    }
    const uint32_t *row = rl_crc_finish_row(rest);
    return rl_crc_reduce(_mm_xor_si128(rl_crc_finish_xmm(sum, row - 2), rl_crc_finish_xmm(tail, row)));
}

RL_CRC_SSE static inline uint32_t rl_crc_pclmul_copy(void *dst, const void *src, size_t size) {
    return rl_crc_pclmul_run((uint8_t *)dst, (const uint8_t *)src, size, 1);
}

RL_CRC_SSE static inline uint32_t rl_crc_pclmul_sum(const void *src, size_t size) {
    return rl_crc_pclmul_run(NULL, (const uint8_t *)src, size, 0);
}

/* ---------------------------------------------------------------- 64 bytes at a time */

RL_CRC_ZMM RL_CRC_INLINE __m512i rl_crc_add3_zmm(__m512i a, __m512i b, __m512i c) {
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

/* sum moved on by a fixed distance, and what stands there. */
RL_CRC_ZMM RL_CRC_INLINE __m512i rl_crc_fold_zmm(__m512i sum, __m128i by, __m512i block) {
    __m512i pairs = _mm512_broadcast_i32x4(by);
    return rl_crc_add3_zmm(_mm512_clmulepi64_epi128(sum, pairs, 0x00),
                           _mm512_clmulepi64_epi128(sum, pairs, 0x11), block);
}

RL_CRC_ZMM RL_CRC_INLINE __m512i rl_crc_take_zmm(uint8_t *dst, const uint8_t *src, size_t at, int copying) {
    __m512i block = _mm512_loadu_si512(src + at);
    RL_CRC_LOADED_ZMM(block);
    if (copying)
        _mm512_storeu_si512(dst + at, block);
    return block;
}

/* Copies from this size on first align the destination. */
#define RL_CRC_ALIGN_FROM 512

/* The destination's lines are asked for so many bytes ahead, but never beyond its end: the CPU guesses well what
 * will be read, less well what will be written. They are asked for in order to write (prefetchw). An ordinary
 * prefetch would fetch a line that a reader has just used as a shared one, only to ask for it again. */
#define RL_CRC_PREFETCH 512

RL_CRC_ZMM RL_CRC_INLINE void rl_crc_prefetch4(const uint8_t *line) {
    __builtin_prefetch(line, 1);
    __builtin_prefetch(line + 64, 1);
    __builtin_prefetch(line + 128, 1);
    __builtin_prefetch(line + 192, 1);
}

/* 1 to 64 bytes at the front of a register, zeros behind them. */
RL_CRC_ZMM RL_CRC_INLINE __m512i rl_crc_take_part(uint8_t *dst, const uint8_t *src, size_t at, unsigned size,
                                                  int copying) {
    __mmask64 mask = _bzhi_u64(~UINT64_C(0), size);
    __m512i block = _mm512_maskz_loadu_epi8(mask, src + at);
    RL_CRC_LOADED_ZMM(block);
    if (copying)
        _mm512_mask_storeu_epi8(dst + at, mask, block);
    return block;
}

RL_CRC_ZMM RL_CRC_INLINE __m512i rl_crc_row_zmm(const uint32_t *row) {
    return _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)(const void *)row));
}

RL_CRC_ZMM RL_CRC_INLINE uint32_t rl_crc_reduce_zmm(__m512i sum) {
    __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
    return rl_crc_reduce(_mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}

RL_CRC_ZMM RL_CRC_INLINE uint32_t rl_crc_vpclmul_run(uint8_t *dst, const uint8_t *src, size_t size,
                                                     int copying) {
    if (size <= 16) {
        if (size == 0)
            return 0;
        /* Lane 0 alone: the same, without bringing four lanes together. */
        __mmask16 mask = (__mmask16)_bzhi_u32(0xFFFFu, (unsigned)size);
        __m128i block = _mm_maskz_loadu_epi8(mask, src);
        RL_CRC_LOADED_XMM(block);
        if (copying)
            _mm_mask_storeu_epi8(dst, mask, block);
        return rl_crc_reduce(rl_crc_finish_xmm(_mm_xor_si128(block, _mm_cvtsi32_si128(-1)),
                                               rl_crc_finish_row((unsigned)size)));
    }
    /* The register's start value stands in the first four bytes. It is a constant in memory: one that is
     * computed (all ones, masked) would make this call wait for whatever was in that register before. */
    const __m512i start = _mm512_set_epi64(0, 0, 0, 0, 0, 0, 0, 0xFFFFFFFF);
    if (size <= 64) {
        __m512i block = _mm512_xor_si512(rl_crc_take_part(dst, src, 0, (unsigned)size, copying), start);
        __m512i by = rl_crc_row_zmm(rl_crc_finish_row((unsigned)size));
        return rl_crc_reduce_zmm(_mm512_xor_si512(_mm512_clmulepi64_epi128(block, by, 0x00),
                                                  _mm512_clmulepi64_epi128(block, by, 0x11)));
    }

    const __m128i by64 = RL_CRC_PAIR(RL_CRC_FOLD_64);
    __m512i sum;
    if (copying && size >= RL_CRC_ALIGN_FROM && ((uintptr_t)dst & 63)) {
        /* Whole cache lines are stored faster than halves of two. So a head of up to 63 bytes goes first, and
         * its block moves on by the head's length, to where the first whole one stands. */
        unsigned head = (unsigned)(-(uintptr_t)dst & 63);
        sum = _mm512_xor_si512(rl_crc_take_part(dst, src, 0, head, copying), start);
        src += head, dst += head, size -= head;
        __m128i by = _mm_cvtepu32_epi64(
            _mm_loadl_epi64((const __m128i *)(const void *)(rl_crc_finish_row(head) - 1)));
        sum = rl_crc_fold_zmm(sum, by, rl_crc_take_zmm(dst, src, 0, copying));
    } else {
        sum = _mm512_xor_si512(rl_crc_take_zmm(dst, src, 0, copying), start);
    }
    unsigned rest = (unsigned)((size - 1) & 63) + 1; /* never empty, so that it needs no case of its own */
    size_t at = 64, end = size - rest;

    if (end >= 256) {
        const __m128i by256 = RL_CRC_PAIR(RL_CRC_FOLD_256);
        __m512i a = sum, b = rl_crc_take_zmm(dst, src, 64, copying);
        __m512i c = rl_crc_take_zmm(dst, src, 128, copying), d = rl_crc_take_zmm(dst, src, 192, copying);
        for (at = 256; end - at >= 256; at += 256) {
            if (copying && end - at >= 256 + RL_CRC_PREFETCH)
                rl_crc_prefetch4(dst + at + RL_CRC_PREFETCH);
            a = rl_crc_fold_zmm(a, by256, rl_crc_take_zmm(dst, src, at, copying));
            b = rl_crc_fold_zmm(b, by256, rl_crc_take_zmm(dst, src, at + 64, copying));
            c = rl_crc_fold_zmm(c, by256, rl_crc_take_zmm(dst, src, at + 128, copying));
            d = rl_crc_fold_zmm(d, by256, rl_crc_take_zmm(dst, src, at + 192, copying));
        }
        /* Up to three blocks more go on in turn, so that they don't wait for each other. */
        for (; at != end; at += 64) {
            __m512i next = rl_crc_fold_zmm(a, by256, rl_crc_take_zmm(dst, src, at, copying));
            a = b, b = c, c = d, d = next;
        }
        d = rl_crc_fold_zmm(a, RL_CRC_PAIR(RL_CRC_FOLD_192), d);
        b = rl_crc_fold_zmm(b, RL_CRC_PAIR(RL_CRC_FOLD_128), _mm512_setzero_si512());
        sum = _mm512_xor_si512(rl_crc_fold_zmm(c, by64, d), b);
    }
    for (; at < end; at += 64)
        sum = rl_crc_fold_zmm(sum, by64, rl_crc_take_zmm(dst, src, at, copying));

    __m512i tail = rl_crc_take_part(dst, src, end, rest, copying);
    const uint32_t *row = rl_crc_finish_row(rest);
    __m512i by = rl_crc_row_zmm(row);
    tail = _mm512_xor_si512(_mm512_clmulepi64_epi128(tail, by, 0x00), _mm512_clmulepi64_epi128(tail, by, 0x11));
    by = rl_crc_row_zmm(row - 8);
    return rl_crc_reduce_zmm(rl_crc_add3_zmm(tail, _mm512_clmulepi64_epi128(sum, by, 0x00),
                                             _mm512_clmulepi64_epi128(sum, by, 0x11)));
}

RL_CRC_ZMM static inline uint32_t rl_crc_vpclmul_copy(void *dst, const void *src, size_t size) {
    return rl_crc_vpclmul_run((uint8_t *)dst, (const uint8_t *)src, size, 1);
}

RL_CRC_ZMM static inline uint32_t rl_crc_vpclmul_sum(const void *src, size_t size) {
    return rl_crc_vpclmul_run(NULL, (const uint8_t *)src, size, 0);
}

#if defined(__cplusplus) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif
#endif
