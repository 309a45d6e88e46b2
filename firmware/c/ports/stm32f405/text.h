/* Lines of text without a library: pieces are appended until the line is full. */

#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_LINE_BYTES 200

struct text {
    char line[TEXT_LINE_BYTES + 1]; /* ends with a zero at all times */
    size_t length;
};

void text_begin(struct text *text, const char *words);
void text_words(struct text *text, const char *words);
void text_number(struct text *text, uint64_t value);
/* Eight digits after 0x. */
void text_hexadecimal(struct text *text, uint32_t value);

#endif
