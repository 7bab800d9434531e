/* A frame of 20 ms through spandsp's G.726 at 32 kbit/s, linear samples, packed codes. */
#include <math.h>
#include <stdint.h>
#include <spandsp.h>

#include "samples.h"

#define FRAME 160
#define FRAMES 50

static int16_t tone[FRAME * FRAMES], linear[FRAME];
static uint8_t coded[FRAME * FRAMES / 2], octets[FRAME / 2];
static g726_state_t *encoder, *decoder;
static unsigned at;

static void encode(void) {
    g726_encode(encoder, octets, &tone[at++ % FRAMES * FRAME], FRAME);
}

static void decode(void) {
    g726_decode(decoder, linear, &coded[at++ % FRAMES * FRAME / 2], FRAME / 2);
}

int main(void) {
    for (int n = 0; n < FRAME * FRAMES; n++)
        tone[n] = (int16_t)lround(8192.0 * sin(n * 2 * M_PI / 8));
    encoder = g726_init(NULL, 32000, G726_ENCODING_LINEAR, G726_PACKING_LEFT);
    if (!encoder || g726_encode(encoder, coded, tone, FRAME * FRAMES) != FRAME * FRAMES / 2)
        return 1;
    encoder = g726_init(NULL, 32000, G726_ENCODING_LINEAR, G726_PACKING_LEFT);
    decoder = g726_init(NULL, 32000, G726_ENCODING_LINEAR, G726_PACKING_LEFT);
    if (!encoder || !decoder)
        return 1;
    measure("encode", encode);
    at = 0;
    measure("decode", decode);
    return 0;
}
