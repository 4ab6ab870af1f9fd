/* The few forms of MessagePack that objects have (docs/formats/native.md, "MessagePack"): readers and writers. */
#ifndef IRMINPY_MSGPACK_H
#define IRMINPY_MSGPACK_H

#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *at, *end;
} Reader;

static inline size_t left(const Reader *r) { return (size_t)(r->end - r->at); }

static inline uint64_t big_endian(const uint8_t *p, int n) {
    uint64_t x = 0;
    for (int i = 0; i < n; i++) x = x << 8 | p[i];
    return x;
}

/* The number of `width` bytes behind the first byte, which is passed over, too; -1 if they are not there. */
static inline int64_t behind(Reader *r, int width) {
    if (left(r) < (size_t)width + 1) return -1;
    int64_t n = (int64_t)big_endian(r->at + 1, width);
    r->at += 1 + width;
    return n;
}

/* All readers pass over what they read. Each gives -1 where something else stands, or less than all of it. What they give
 * of `str` and `bin` is as long as they say. Longer forms than needed are read: whether they may be is for the caller,
 * who can compare with what the writers below write. */

static inline int64_t read_array(Reader *r) {
    if (r->at == r->end) return -1;
    uint8_t head = *r->at;
    if ((head & 0xF0) == 0x90) {
        r->at++;
        return head & 15;
    }
    return head == 0xDC ? behind(r, 2) : head == 0xDD ? behind(r, 4) : -1;
}

static inline int64_t taken(Reader *r, int64_t n, const uint8_t **data) {
    if (n < 0 || (uint64_t)n > left(r)) return -1;
    *data = r->at;
    r->at += n;
    return n;
}

static inline int64_t read_str(Reader *r, const uint8_t **data) {
    if (r->at == r->end) return -1;
    uint8_t head = *r->at;
    int64_t n;
    if ((head & 0xE0) == 0xA0) {
        r->at++;
        n = head & 31;
    } else {
        n = head == 0xD9 ? behind(r, 1) : head == 0xDA ? behind(r, 2) : head == 0xDB ? behind(r, 4) : -1;
    }
    return taken(r, n, data);
}

static inline int64_t read_bin(Reader *r, const uint8_t **data) {
    if (r->at == r->end) return -1;
    uint8_t head = *r->at;
    int64_t n = head == 0xC4 ? behind(r, 1) : head == 0xC5 ? behind(r, 2) : head == 0xC6 ? behind(r, 4) : -1;
    return taken(r, n, data);
}

/* A number from 0 to 2^63 - 1. */
static inline int64_t read_count(Reader *r) {
    if (r->at == r->end) return -1;
    uint8_t head = *r->at;
    if (head < 0x80) {
        r->at++;
        return head;
    }
    return head == 0xCC   ? behind(r, 1)
           : head == 0xCD ? behind(r, 2)
           : head == 0xCE ? behind(r, 4)
           : head == 0xCF ? behind(r, 8)
                          : -1;
}

/* How many bytes the shortest form of each takes before its content. Lengths are below 2^32. */
static inline size_t array_head(size_t n) { return n < 16 ? 1 : n < 1 << 16 ? 3 : 5; }
static inline size_t str_head(size_t n) { return n < 32 ? 1 : n < 1 << 8 ? 2 : n < 1 << 16 ? 3 : 5; }
static inline size_t bin_head(size_t n) { return n < 1 << 8 ? 2 : n < 1 << 16 ? 3 : 5; }
static inline size_t count_size(uint64_t n) {
    return n < 0x80 ? 1 : n < 1 << 8 ? 2 : n < 1 << 16 ? 3 : n <= UINT32_MAX ? 5 : 9;
}

/* Writers of the shortest forms; each gives the place behind what it wrote. */
static inline uint8_t *put_head(uint8_t *p, uint8_t head, uint64_t n, int width) {
    *p++ = head;
    for (int i = width - 1; i >= 0; i--) *p++ = (uint8_t)(n >> (8 * i));
    return p;
}

static inline uint8_t *put_array(uint8_t *p, size_t n) {
    return n < 16        ? put_head(p, (uint8_t)(0x90 | n), 0, 0)
           : n < 1 << 16 ? put_head(p, 0xDC, n, 2)
                         : put_head(p, 0xDD, n, 4);
}

static inline uint8_t *put_str(uint8_t *p, const char *data, size_t n) {
    p = n < 32        ? put_head(p, (uint8_t)(0xA0 | n), 0, 0)
        : n < 1 << 8  ? put_head(p, 0xD9, n, 1)
        : n < 1 << 16 ? put_head(p, 0xDA, n, 2)
                      : put_head(p, 0xDB, n, 4);
    memcpy(p, data, n);
    return p + n;
}

static inline uint8_t *put_bin_head(uint8_t *p, size_t n) {
    return n < 1 << 8 ? put_head(p, 0xC4, n, 1) : n < 1 << 16 ? put_head(p, 0xC5, n, 2) : put_head(p, 0xC6, n, 4);
}

static inline uint8_t *put_bin(uint8_t *p, const char *data, size_t n) {
    p = put_bin_head(p, n);
    if (n) memcpy(p, data, n);
    return p + n;
}

static inline uint8_t *put_count(uint8_t *p, uint64_t n) {
    return n < 0x80          ? put_head(p, (uint8_t)n, 0, 0)
           : n < 1 << 8      ? put_head(p, 0xCC, n, 1)
           : n < 1 << 16     ? put_head(p, 0xCD, n, 2)
           : n <= UINT32_MAX ? put_head(p, 0xCE, n, 4)
                             : put_head(p, 0xCF, n, 8);
}

/* Whether the bytes are UTF-8 without surrogates, which Python makes a str of. */
static inline int is_utf8(const uint8_t *p, size_t size) {
    const uint8_t *end = p + size;
    while (p < end) {
        uint8_t c = *p++;
        if (c < 0x80) continue;
        int more = c >= 0xC2 && c <= 0xDF ? 1 : (c & 0xF0) == 0xE0 ? 2 : c >= 0xF0 && c <= 0xF4 ? 3 : 0;
        if (!more || end - p < more) return 0;
        uint8_t least = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
        uint8_t most = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        if (p[0] < least || p[0] > most) return 0;
        for (int i = 1; i < more; i++)
            if ((p[i] & 0xC0) != 0x80) return 0;
        p += more;
    }
    return 1;
}

#endif
