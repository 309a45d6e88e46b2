#include "tocsin_envelope.h"

#include "tocsin_bytes.h"
#include "tocsin_spectrum.h"

/* All bits that a part has beside its sign. */
static uint32_t bits_in(int32_t part)
{
    return (uint32_t)(part ^ (part >> 31));
}

/* Bring the band's bins, each at its number modulo L, to the front in mirrored order; gives all bits that they have.
 * Mirrored, the L residues lie at equal distances, those beyond a multiple of L beside the others. Nothing is written
 * where something is still to be read. */
static uint32_t gather(int32_t *points, uint32_t log2_samples, uint32_t first, uint32_t log2_bins)
{
    uint32_t bins = UINT32_C(1) << log2_bins;
    uint32_t rest = log2_samples - 1 - log2_bins;
    uint32_t begin = first & (bins - 1);
    const int32_t *lower = points + 2 * tocsin_mirrored(first >> log2_bins, rest);
    const int32_t *upper = points + 2 * tocsin_mirrored((first >> log2_bins) + 1, rest);
    uint32_t residue = 0;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < bins; i++) {
        const int32_t *from = (residue >= begin ? lower : upper) + ((2 * i) << rest);
        int32_t re = from[0];
        int32_t im = from[1];
        seen |= bits_in(re) | bits_in(im);
        points[2 * i] = re;
        points[2 * i + 1] = im;
        residue = tocsin_mirrored_next(residue, bins >> 1);
    }
    return seen;
}

/* The gathered bins in natural order, behind them, moved left by `lift`. */
static void place(const int32_t *points, int32_t *placed, uint32_t bins, uint32_t lift)
{
    int32_t factor = (int32_t)(UINT32_C(1) << lift);
    uint32_t residue = 0;
    for (uint32_t i = 0; i < bins; i++) {
        placed[2 * residue] = points[2 * i] * factor;
        placed[2 * residue + 1] = points[2 * i + 1] * factor;
        residue = tocsin_mirrored_next(residue, bins >> 1);
    }
}

/* Each point becomes its squared magnitude, low word first; gives all bits that those have. */
static uint64_t square(int32_t *placed, uint32_t bins)
{
    uint32_t *words = (uint32_t *)placed;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < bins; i++) {
        int32_t re = placed[2 * i];
        int32_t im = placed[2 * i + 1];
        uint64_t sum = tocsin_square(re) + tocsin_square(im);
        seen |= sum;
        words[2 * i] = (uint32_t)sum;
        words[2 * i + 1] = (uint32_t)(sum >> 32);
    }
    return seen;
}

/* The squares in order of time, moved right by `drop`, less their mean. */
static void level(const int32_t *placed, int32_t *values, uint32_t log2_bins, uint32_t drop)
{
    uint32_t bins = UINT32_C(1) << log2_bins;
    const uint32_t *words = (const uint32_t *)placed;
    uint64_t total = bins >> 1;
    uint32_t time = 0;
    for (uint32_t i = 0; i < bins; i++) {
        uint32_t value = (uint32_t)((((uint64_t)words[2 * i + 1] << 32) | words[2 * i]) >> drop);
        total += value;
        values[time] = (int32_t)value;
        time = tocsin_mirrored_next(time, bins >> 1);
    }
    int32_t mean = (int32_t)(total >> log2_bins);
    for (uint32_t i = 0; i < bins; i++) {
        values[i] -= mean;
    }
}

/* The feature of energy 1: what shift, lift, drop and the stages of the three transforms stand for. */
static int32_t unit_of(uint32_t log2_samples, uint32_t log2_bins, uint32_t lifts, uint32_t drop)
{
    uint32_t stages = ((log2_samples - 1) >> 1) + (log2_bins >> 1);
    uint32_t more = 22 + 8 * stages + 4 * ((log2_bins - 1) >> 1) + 2 * drop;
    return 256 * ((int32_t)more - (int32_t)(4 * (log2_samples + lifts)));
}

void tocsin_envelope_features(int32_t *points, uint32_t log2_samples, uint32_t shift,
                              const struct tocsin_fast_bands *bands, int32_t *raw)
{
    uint32_t log2_bins = bands->log2_envelope_bins;
    uint32_t bins = UINT32_C(1) << log2_bins;
    int32_t *placed = points + 2 * bins; /* 4 * L <= N: L is a power of two below N/2 */
    uint32_t seen = tocsin_spectrum_bits_of(gather(points, log2_samples, bands->envelope_first, log2_bins));
    uint32_t lift = seen < TOCSIN_POINT_BITS ? TOCSIN_POINT_BITS - seen : 0;
    place(points, placed, bins, lift);
    tocsin_spectrum_transform(placed, log2_bins);
    seen = tocsin_spectrum_bits_of(square(placed, bins));
    uint32_t drop = seen > TOCSIN_POINT_BITS ? seen - TOCSIN_POINT_BITS : 0;
    level(placed, points, log2_bins, drop);
    tocsin_spectrum_transform(points, log2_bins - 1);
    tocsin_spectrum_split(points, log2_bins);
    int32_t unit = unit_of(log2_samples, log2_bins, shift + lift, drop);
    uint32_t end = tocsin_read_u16(bands->envelope_edges);
    for (uint32_t band = 0; band < bands->envelope_bands; band++) {
        uint32_t first = end;
        end = tocsin_read_u16(bands->envelope_edges + 2 * band + 2);
        int32_t feature = tocsin_log2_q8(tocsin_spectrum_energy(points, log2_bins, first, end) + 1) + unit;
        raw[band] = feature > 0 ? feature : 0;
    }
}
