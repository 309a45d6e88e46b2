/* Mutated images for the reader: each in memory of exactly its length, so that a sanitizer notices a read past its end.
 *
 *   tocsin-image-fuzz SEED COUNT USE_EVERY [cases] < images
 *
 * Standard input holds valid images, each after its length (uint32, little endian). Of the accepted cases one in
 * USE_EVERY runs as a device (0: none). Standard output: how many cases had each status, in text; with `cases`, each
 * case instead: length (uint32), bytes, status (one byte), offset of the refusal (uint32). Exit status 1: an accepted
 * image did not run, or a refusal has its offset behind the image.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_mutations.h"
#include "image_use.h"
#include "tocsin_bytes.h"

#define BASES_MAX 32u
#define SAMPLES 70u

static struct fuzz_base bases[BASES_MAX];
static uint64_t counts[TOCSIN_STATUS_COUNT];

static int fail(const char *reason)
{
    fprintf(stderr, "tocsin-image-fuzz: %s.\n", reason);
    return 1;
}

/* How many valid images were read; 0 after saying what is wrong. */
static uint32_t read_bases(void)
{
    uint32_t count = 0;
    uint8_t prefix[4];
    while (count < BASES_MAX && fread(prefix, 1, sizeof prefix, stdin) == sizeof prefix) {
        struct fuzz_base *base = &bases[count];
        base->length = tocsin_read_u32(prefix);
        if (base->length > FUZZ_IMAGE_BYTES || fread(base->bytes, 1, base->length, stdin) != base->length ||
            tocsin_image_read(base->bytes, base->length, &base->image) != TOCSIN_OK) {
            (void)fail("standard input holds something else than images of at most 4096 bytes");
            return 0;
        }
        count++;
    }
    return count;
}

static bool write_number(uint32_t number)
{
    uint8_t bytes[4];
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
    return fwrite(bytes, 1, sizeof bytes, stdout) == sizeof bytes;
}

static bool write_case(const struct fuzz_case *made, enum tocsin_status status, uint32_t refused_at)
{
    return write_number((uint32_t)made->length) && fwrite(made->bytes, 1, made->length, stdout) == made->length &&
           putchar((int)status) != EOF && write_number(refused_at);
}

/* The reader's verdict on a copy of exactly this length; one in `use_every` of those accepted is run too. Ends the
 * program where that fails. */
static enum tocsin_status judge(const struct fuzz_case *made, uint64_t use_every, uint32_t *refused_at)
{
    struct tocsin_image image;
    uint8_t *exact = malloc(made->length != 0 ? made->length : 1);
    if (exact == NULL) {
        exit(fail("no memory"));
    }
    memcpy(exact, made->bytes, made->length);
    enum tocsin_status status = tocsin_image_read(exact, made->length, &image);
    if (status == TOCSIN_OK && use_every != 0 && counts[TOCSIN_OK] % use_every == 0 &&
        !fuzz_use(exact, made->length, SAMPLES)) {
        exit(fail("an image that the reader accepted did not run"));
    }
    free(exact);
    *refused_at = image.refused_at;
    if (status == TOCSIN_OK ? *refused_at != 0 : *refused_at > made->length) {
        exit(fail("a refusal names an offset behind the image"));
    }
    return status;
}

int main(int count, char **words)
{
    static struct fuzz_case made;
    if (count != 4 && !(count == 5 && strcmp(words[4], "cases") == 0)) {
        fprintf(stderr, "usage: tocsin-image-fuzz SEED COUNT USE_EVERY [cases] < images\n");
        return 2;
    }
    struct fuzz_random random = {strtoull(words[1], NULL, 10)};
    uint64_t cases = strtoull(words[2], NULL, 10);
    uint64_t use_every = strtoull(words[3], NULL, 10);
    uint32_t known = read_bases();
    if (known == 0) {
        return fail("no image on standard input");
    }
    for (uint64_t i = 0; i < cases; i++) {
        fuzz_mutate(&random, bases, known, &made);
        uint32_t refused_at;
        enum tocsin_status status = judge(&made, use_every, &refused_at);
        counts[status]++;
        if (count == 5 && !write_case(&made, status, refused_at)) {
            return fail("the cases cannot be written");
        }
    }
    for (unsigned status = 0; count == 4 && status < TOCSIN_STATUS_COUNT; status++) {
        printf("%u %llu\n", status, (unsigned long long)counts[status]);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
