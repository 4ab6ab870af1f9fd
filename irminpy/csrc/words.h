#ifndef IRMINPY_WORDS_H
#define IRMINPY_WORDS_H

#include "core.h"

/* Adds the class to the module; -1 with an error set. */
int words_begin(PyObject *module);

/* As memcpy, for some ten bytes to some hundred, which compilers do with an instruction that is slow to begin. */
static inline void copy_few(uint8_t *to, const uint8_t *from, size_t n) {
    for (; n >= 8; n -= 8, to += 8, from += 8) memcpy(to, from, 8);
    while (n--) *to++ = *from++;
}

#endif
