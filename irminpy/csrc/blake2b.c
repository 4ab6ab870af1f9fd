/* BLAKE2b as RFC 7693 describes it. */
#include "blake2b.h"

#include <string.h>

#define BLOCK 128
#define ROUNDS 12

static const uint64_t IV[8] = {
    0x6A09E667F3BCC908u, 0xBB67AE8584CAA73Bu, 0x3C6EF372FE94F82Bu, 0xA54FF53A5F1D36F1u,
    0x510E527FADE682D1u, 0x9B05688C2B3E6C1Fu, 0x1F83D9ABFB41BD6Bu, 0x5BE0CD19137E2179u,
};

static const uint8_t SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint64_t load64(const uint8_t *p) {
    uint64_t x = 0;
    for (int i = 0; i < 8; i++) x |= (uint64_t)p[i] << 8 * i;
    return x;
}

static inline uint64_t right(uint64_t x, int n) { return x >> n | x << (64 - n); }

#define MIX(a, b, c, d, x, y)           \
    do {                                \
        v[a] += v[b] + (x);             \
        v[d] = right(v[d] ^ v[a], 32);  \
        v[c] += v[d];                   \
        v[b] = right(v[b] ^ v[c], 24);  \
        v[a] += v[b] + (y);             \
        v[d] = right(v[d] ^ v[a], 16);  \
        v[c] += v[d];                   \
        v[b] = right(v[b] ^ v[c], 63);  \
    } while (0)

/* Takes in a block; `count` bytes are taken in with it, and inputs are shorter than 2^64 bytes. */
static void compress(uint64_t h[8], const uint8_t *block, uint64_t count, int last) {
    uint64_t v[16], m[16];
    for (int i = 0; i < 16; i++) m[i] = load64(block + 8 * i);
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = IV[i];
    }
    v[12] ^= count;
    if (last) v[14] = ~v[14];
    for (int round = 0; round < ROUNDS; round++) {
        const uint8_t *s = SIGMA[round % 10];
        MIX(0, 4, 8, 12, m[s[0]], m[s[1]]);
        MIX(1, 5, 9, 13, m[s[2]], m[s[3]]);
        MIX(2, 6, 10, 14, m[s[4]], m[s[5]]);
        MIX(3, 7, 11, 15, m[s[6]], m[s[7]]);
        MIX(0, 5, 10, 15, m[s[8]], m[s[9]]);
        MIX(1, 6, 11, 12, m[s[10]], m[s[11]]);
        MIX(2, 7, 8, 13, m[s[12]], m[s[13]]);
        MIX(3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (int i = 0; i < 8; i++) h[i] ^= v[i] ^ v[i + 8];
}

void blake2b_digest(const uint8_t *data, size_t size, uint8_t *out, size_t digest) {
    uint64_t h[8], taken = 0;
    memcpy(h, IV, sizeof h);
    h[0] ^= 0x01010000u ^ digest;
    /* The last block, which may be a whole one, is taken in as the last. */
    for (; size - taken > BLOCK; taken += BLOCK) compress(h, data + taken, taken + BLOCK, 0);
    uint8_t block[BLOCK] = {0};
    if (size) memcpy(block, data + taken, size - taken);
    compress(h, block, size, 1);
    for (size_t i = 0; i < digest; i++) out[i] = (uint8_t)(h[i / 8] >> 8 * (i % 8));
}
