/* BLAKE3 as its specification describes it (section 2): chunks of 1024 bytes, blocks of 64, a binary tree of chunks.
 *
 * A compression is done on the four rows of the state as vectors, where the compiler has them; the rows are written in
 * the vector extension of GCC and Clang, so that one text serves every processor. */
#include "blake3.h"

#include <string.h>

#define BLOCK 64
#define CHUNK 1024

enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8 };

static const uint32_t IV[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                               0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

static inline uint32_t load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void store32(uint8_t *p, uint32_t x) {
    p[0] = (uint8_t)x;
    p[1] = (uint8_t)(x >> 8);
    p[2] = (uint8_t)(x >> 16);
    p[3] = (uint8_t)(x >> 24);
}

/* A compression: the chaining value after the block of 16 words at `block`, of which `length` bytes count. Only the first
 * half of the output is ever needed here. */
typedef void Compress(uint32_t cv[8], const uint8_t block[BLOCK], uint64_t counter, uint32_t length, uint32_t flags);

#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ROWS 1

typedef uint32_t row __attribute__((vector_size(16)));

#ifdef __clang__
#define PICK(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define PICK(a, b, i, j, k, l) __builtin_shuffle(a, b, (row){i, j, k, l})
#endif
#define TURN(a, i, j, k, l) PICK(a, a, i, j, k, l)
#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))

#define HALF_1(m) (a += b + (m), d = ROTATE(d ^ a, 16), c += d, b = ROTATE(b ^ c, 12))
#define HALF_2(m) (a += b + (m), d = ROTATE(d ^ a, 8), c += d, b = ROTATE(b ^ c, 7))
/* Of the four rows that with `b` stays where it is: it is the last one to be ready. */
#define DIAGONAL() (a = TURN(a, 3, 0, 1, 2), d = TURN(d, 2, 3, 0, 1), c = TURN(c, 1, 2, 3, 0))
#define STRAIGHT() (a = TURN(a, 1, 2, 3, 0), d = TURN(d, 2, 3, 0, 1), c = TURN(c, 3, 0, 1, 2))

static inline __attribute__((always_inline)) void compress_rows(
    uint32_t cv[8], const uint8_t block[BLOCK], uint64_t counter, uint32_t length, uint32_t flags) {
    row a, b, c, d, m0, m1, m2, m3, t0, t1, t2, t3;
    memcpy(&a, cv, 16);
    memcpy(&b, cv + 4, 16);
    memcpy(&c, IV, 16);
    d = (row){(uint32_t)counter, (uint32_t)(counter >> 32), length, flags};
    memcpy(&m0, block, 16);
    memcpy(&m1, block + 16, 16);
    memcpy(&m2, block + 32, 16);
    memcpy(&m3, block + 48, 16);

    /* The first round takes the words as they stand: the even and odd ones of each half. */
    t0 = PICK(m0, m1, 0, 2, 4, 6);
    HALF_1(t0);
    t1 = PICK(m0, m1, 1, 3, 5, 7);
    HALF_2(t1);
    DIAGONAL();
    t2 = PICK(m2, m3, 6, 0, 2, 4);
    HALF_1(t2);
    t3 = PICK(m2, m3, 7, 1, 3, 5);
    HALF_2(t3);
    STRAIGHT();
    m0 = t0, m1 = t1, m2 = t2, m3 = t3;

    /* The words of each other round are those of the one before, permuted. */
    for (int round = 1; round < 7; round++) {
        t0 = PICK(m0, m1, 1, 5, 7, 2);
        HALF_1(t0);
        t1 = PICK(m2, m3, 2, 7, 2, 7);
        t1 = PICK(m0, t1, 3, 4, 0, 5);
        HALF_2(t1);
        DIAGONAL();
        t2 = PICK(m1, m2, 0, 7, 0, 7);
        t2 = PICK(m3, t2, 0, 4, 5, 1);
        HALF_1(t2);
        t3 = PICK(m1, m3, 2, 6, 2, 6);
        t3 = PICK(m2, t3, 1, 5, 4, 0);
        HALF_2(t3);
        STRAIGHT();
        m0 = t0, m1 = t1, m2 = t2, m3 = t3;
    }
    a ^= c;
    b ^= d;
    memcpy(cv, &a, 16);
    memcpy(cv + 4, &b, 16);
}

static void compress_plain(
    uint32_t cv[8], const uint8_t block[BLOCK], uint64_t counter, uint32_t length, uint32_t flags) {
    compress_rows(cv, block, counter, length, flags);
}

#if defined(__x86_64__)
#define CHOICE 1
/* The same, with the instructions of newer processors: bytes in any order, and rotations. */
__attribute__((target("ssse3"))) static void compress_ssse3(
    uint32_t cv[8], const uint8_t block[BLOCK], uint64_t counter, uint32_t length, uint32_t flags) {
    compress_rows(cv, block, counter, length, flags);
}

__attribute__((target("avx512vl"))) static void compress_avx512(
    uint32_t cv[8], const uint8_t block[BLOCK], uint64_t counter, uint32_t length, uint32_t flags) {
    compress_rows(cv, block, counter, length, flags);
}
#endif

#else

static inline uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static inline void mix(uint32_t v[16], int a, int b, int c, int d, uint32_t x, uint32_t y) {
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 7);
}

static void compress_plain(
    uint32_t cv[8], const uint8_t block[BLOCK], uint64_t counter, uint32_t length, uint32_t flags) {
    static const uint8_t next[16] = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};
    uint32_t v[16], m[16], permuted[16];
    memcpy(v, cv, 32);
    memcpy(v + 8, IV, 16);
    v[12] = (uint32_t)counter;
    v[13] = (uint32_t)(counter >> 32);
    v[14] = length;
    v[15] = flags;
    for (int i = 0; i < 16; i++) m[i] = load32(block + 4 * i);
    for (int round = 0; round < 7; round++) {
        mix(v, 0, 4, 8, 12, m[0], m[1]);
        mix(v, 1, 5, 9, 13, m[2], m[3]);
        mix(v, 2, 6, 10, 14, m[4], m[5]);
        mix(v, 3, 7, 11, 15, m[6], m[7]);
        mix(v, 0, 5, 10, 15, m[8], m[9]);
        mix(v, 1, 6, 11, 12, m[10], m[11]);
        mix(v, 2, 7, 8, 13, m[12], m[13]);
        mix(v, 3, 4, 9, 14, m[14], m[15]);
        for (int i = 0; i < 16; i++) permuted[i] = m[next[i]];
        memcpy(m, permuted, sizeof m);
    }
    for (int i = 0; i < 8; i++) cv[i] = v[i] ^ v[i + 8];
}
#endif

static Compress *compress = compress_plain;

void blake3_choose(void) {
#ifdef CHOICE
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vl"))
        compress = compress_avx512;
    else if (__builtin_cpu_supports("ssse3"))
        compress = compress_ssse3;
#endif
}

/* The chaining value of the chunk number `counter`, which has 1 to 1024 bytes, or 0 if it is all there is. */
static void chunk(uint32_t cv[8], const uint8_t *data, size_t size, uint64_t counter, uint32_t root) {
    uint32_t flags = CHUNK_START;
    memcpy(cv, IV, 32);
    while (size > BLOCK) {
        compress(cv, data, counter, BLOCK, flags);
        flags = 0;
        data += BLOCK;
        size -= BLOCK;
    }
    uint8_t last[BLOCK] = {0};
    if (size) memcpy(last, data, size);
    compress(cv, last, counter, (uint32_t)size, flags | CHUNK_END | root);
}

/* The chaining value of a parent, in place of `left`. */
static void join(uint32_t left[8], const uint32_t right[8], uint32_t root) {
    uint8_t block[BLOCK];
    for (int i = 0; i < 8; i++) store32(block + 4 * i, left[i]), store32(block + 32 + 4 * i, right[i]);
    memcpy(left, IV, 32);
    compress(left, block, 0, BLOCK, PARENT | root);
}

void blake3_digest(const uint8_t *data, size_t size, uint8_t out[BLAKE3_SIZE]) {
    uint32_t stack[54][8]; /* chaining values of whole subtrees, larger ones first: one per bit of the number of chunks */
    uint32_t cv[8];
    size_t depth = 0;
    uint64_t counter = 0;
    if (size <= CHUNK) {
        chunk(cv, data, size, 0, ROOT);
    } else {
        while (size > CHUNK) {
            chunk(cv, data, CHUNK, counter, 0);
            /* As many subtrees are whole now as the number of chunks has zeros at its end. */
            for (uint64_t n = ++counter; !(n & 1); n >>= 1) {
                join(stack[--depth], cv, 0);
                memcpy(cv, stack[depth], 32);
            }
            memcpy(stack[depth++], cv, 32);
            data += CHUNK;
            size -= CHUNK;
        }
        chunk(cv, data, size, counter, 0);
        while (depth) {
            depth--;
            join(stack[depth], cv, depth ? 0 : ROOT);
            memcpy(cv, stack[depth], 32);
        }
    }
    for (int i = 0; i < 8; i++) store32(out + 4 * i, cv[i]);
}
