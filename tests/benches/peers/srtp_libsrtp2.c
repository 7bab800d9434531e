/* One packet of 12 + 160 octets protected and unprotected by libsrtp2, AES_CM_128_HMAC_SHA1_80. */
#include <stdint.h>
#include <string.h>
#include <srtp2/srtp.h>

#include "samples.h"

static srtp_t sender, receiver;
static uint8_t packet[172 + SRTP_MAX_TRAILER_LEN];
static uint16_t sequence;
static uint32_t timestamp;
static long failed;

static void pass(void) {
    int length = 172;
    sequence++;
    timestamp += 160;
    memcpy(packet, "\x80\x08", 2);
    packet[2] = sequence >> 8, packet[3] = sequence & 255;
    for (int i = 0; i < 4; i++)
        packet[4 + i] = timestamp >> (24 - 8 * i);
    memcpy(packet + 8, "\0\0\0\7", 4);
    if (srtp_protect(sender, packet, &length) || srtp_unprotect(receiver, packet, &length) || length != 172)
        failed++;
}

static int opened(srtp_t *session, srtp_ssrc_type_t direction) {
    static uint8_t key[30];
    memset(key, 7, sizeof key);
    srtp_policy_t policy;
    memset(&policy, 0, sizeof policy);
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
    policy.ssrc.type = direction;
    policy.key = key;
    policy.window_size = 64;
    return srtp_create(session, &policy) == srtp_err_status_ok;
}

int main(void) {
    memset(packet, 0x55, sizeof packet);
    if (srtp_init() || !opened(&sender, ssrc_any_outbound) || !opened(&receiver, ssrc_any_inbound))
        return 1;
    measure("pass", pass);
    return failed != 0;
}
