/* Eight bytes at a time, by eight tables: what each byte gives when so many zeros follow it; or by a processor that multiplies
 * polynomials. */
#include "crc.h"

#define POLYNOMIAL 0xEDB88320u

static uint32_t table[8][256];

/* `crc`, and all after it, is the register without the turning of its bits at the ends. */
static uint32_t by_tables(const uint8_t *p, size_t size, uint32_t crc) {
    for (; size >= 8; size -= 8, p += 8) {
        crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^ table[4][crc >> 24] ^
              table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
    while (size--) crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
    return crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define CHOICE 1

/* `x`, as a polynomial times x to the power that `by` has, plus `next`: modulo the polynomial of the crc. */
__attribute__((target("pclmul,sse4.1"))) static inline __m128i folded(__m128i x, __m128i by, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(x, by, 0x00), high = _mm_clmulepi64_si128(x, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* Sixteen bytes at a time, four times sixteen where there are so many (Gopal et al., Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ Instruction, 2009): bytes are multiplied to where others stand, and added to them. What is left,
 * sixteen bytes of the same remainder, is for the tables. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t by_folding(const uint8_t *p, size_t size, uint32_t crc) {
    if (size < 32) return by_tables(p, size, crc);
    const __m128i *at = (const __m128i *)p;
    const __m128i one = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0), four = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    __m128i x = _mm_xor_si128(_mm_loadu_si128(at++), _mm_cvtsi32_si128((int)crc));
    size -= 16;
    if (size >= 112) {
        __m128i y = _mm_loadu_si128(at++), z = _mm_loadu_si128(at++), w = _mm_loadu_si128(at++);
        for (size -= 48; size >= 64; size -= 64, at += 4) {
            x = folded(x, four, _mm_loadu_si128(at));
            y = folded(y, four, _mm_loadu_si128(at + 1));
            z = folded(z, four, _mm_loadu_si128(at + 2));
            w = folded(w, four, _mm_loadu_si128(at + 3));
        }
        x = folded(folded(folded(x, one, y), one, z), one, w);
    }
    for (; size >= 16; size -= 16) x = folded(x, one, _mm_loadu_si128(at++));
    uint8_t rest[16];
    _mm_storeu_si128((__m128i *)rest, x);
    return by_tables((const uint8_t *)at, size, by_tables(rest, sizeof rest, 0));
}
#endif

static uint32_t (*chosen)(const uint8_t *, size_t, uint32_t) = by_tables;

uint32_t crc_of(const uint8_t *data, size_t size, uint32_t before) { return ~chosen(data, size, ~before); }

void crc_begin(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        table[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int zeros = 1; zeros < 8; zeros++)
            table[zeros][byte] = table[zeros - 1][byte] >> 8 ^ table[0][table[zeros - 1][byte] & 255];
#ifdef CHOICE
    __builtin_cpu_init();
    if (__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) chosen = by_folding;
#endif
}
