#include "text.h"

static void append(struct text *text, char letter)
{
    if (text->length < TEXT_LINE_BYTES) {
        text->line[text->length] = letter;
        text->length++;
        text->line[text->length] = '\0';
    }
}

void text_begin(struct text *text, const char *words)
{
    text->length = 0;
    text->line[0] = '\0';
    text_words(text, words);
}

void text_words(struct text *text, const char *words)
{
    for (; *words != '\0'; words++) {
        append(text, *words);
    }
}

void text_number(struct text *text, uint64_t value)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count] = (char)('0' + (int)(value % 10u));
        count++;
        value /= 10u;
    } while (value != 0);
    while (count != 0) {
        count--;
        append(text, digits[count]);
    }
}

void text_hexadecimal(struct text *text, uint32_t value)
{
    text_words(text, "0x");
    for (unsigned shift = 32; shift != 0; shift -= 4) {
        append(text, "0123456789abcdef"[(value >> (shift - 4)) & 15u]);
    }
}
