"""A SIP phone without sound device (pjsua2), driven by lines on standard input: dial URI, answer, hold, resume,
hangup, dtmf DIGITS, quit.

It says what happens on lines that begin with ##. Passwords are `pw-` and the user's name.
"""
import argparse
import os
import select
import sys
import time

import pjsua2 as pj

options = argparse.ArgumentParser()
options.add_argument("user")
options.add_argument("--proxy", default="127.0.0.1:5060")
options.add_argument("--domain", help="of the user; else the proxy's host")
options.add_argument("--transport", default="udp", choices=["udp", "tcp", "tls"])
options.add_argument("--bind", default="127.0.0.1")
options.add_argument("--listen", type=int, default=0, help="SIP port")
options.add_argument("--rtp", type=int, default=12000, help="first RTP port")
options.add_argument("--srtp", type=int, default=0, help="0 none, 1 optional, 2 mandatory")
options.add_argument("--codec", default="PCMA")
options.add_argument("--patient", action="store_true", help="let calls ring until told to answer")
options.add_argument("--play", help="WAV file to speak")
options.add_argument("--rec", help="WAV files to record into, with a place for a number, such as heard-%d.wav")
options.add_argument("--ca", help="PEM file of the root to trust")
options.add_argument("--level", type=int, default=3, help="of pjsua's own log")
a = options.parse_args()


def say(*words):
    print("##", *words, flush=True)


ep = pj.Endpoint()
ep.libCreate()
config = pj.EpConfig()
config.logConfig.level = config.logConfig.consoleLevel = a.level
config.uaConfig.threadCnt = 0
config.uaConfig.mainThreadOnly = True
config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
config.medConfig.noVad = True
config.medConfig.ecTailLen = 0
ep.libInit(config)
ep.audDevManager().setNullDev()
for codec in ep.codecEnum2():
    ep.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith(a.codec) else 0)
transport = pj.TransportConfig()
transport.port = a.listen
transport.boundAddress = transport.publicAddress = a.bind
if a.transport == "tls":
    transport.tlsConfig.CaListFile = a.ca or ""
    transport.tlsConfig.verifyServer = True
    transport.tlsConfig.method = pj.PJSIP_TLSV1_2_METHOD
kinds = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}
ep.transportCreate(kinds[a.transport], transport)
ep.libStart()
# The library looks for MD5 in OpenSSL, and only this or a TLS connection sets OpenSSL up.
ep.utilSslGetAvailableCiphers()

# What the library only borrows must live until its end.
media, calls = {}, []


def player():
    """One for all calls, made when the first one has media."""
    if "player" not in media:
        media["player"] = pj.AudioMediaPlayer()
        media["player"].createPlayer(a.play)
    return media["player"]


def recorder():
    """A new one each time that speech begins: what is not recorded in between would be missing in one file."""
    name = a.rec % len(media)
    media[name] = pj.AudioMediaRecorder()
    media[name].createRecorder(name)
    return media[name]


class Call(pj.Call):
    def onCallState(self, _):
        info = self.getInfo()
        say("call", info.stateText, info.lastStatusCode, info.lastReason)

    def onCallMediaState(self, _):
        info = self.getInfo()  # kept: a temporary would be freed during the loop
        for m in info.media:
            if m.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            if m.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                say("media active", self.getStreamInfo(m.index).codecName)
                self.connect(self.getAudioMedia(m.index))
            elif m.status == pj.PJSUA_CALL_MEDIA_LOCAL_HOLD:
                say("media on hold")

    def connect(self, audio):
        if a.play:
            player().startTransmit(audio)
        if a.rec:
            audio.startTransmit(recorder())

    def onDtmfDigit(self, digit):
        say("dtmf", digit.digit)


class Account(pj.Account):
    def onRegState(self, state):
        say("reg", state.code, state.reason)

    def onIncomingCall(self, incoming):
        call = Call(self, incoming.callId)
        calls.append(call)
        say("from", call.getInfo().remoteUri)
        answer = pj.CallOpParam()
        answer.statusCode = 180 if a.patient else 200
        call.answer(answer)


suffix = "" if a.transport == "udp" else ";transport=" + a.transport
account = pj.AccountConfig()
domain = a.domain or a.proxy.split(":")[0]
account.idUri = f"sip:{a.user}@{domain}"
# The registrar is the domain; the way there is the proxy's.
account.regConfig.registrarUri = f"sip:{domain}"
account.sipConfig.proxies.append(f"sip:{a.proxy}{suffix};lr")
account.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", a.user, 0, "pw-" + a.user))
m = account.mediaConfig
m.srtpUse = a.srtp
m.srtpSecureSignaling = 0
m.srtpOpt.keyings.append(pj.PJMEDIA_SRTP_KEYING_SDES)
m.transportConfig.port = a.rtp
m.transportConfig.boundAddress = a.bind
account.natConfig.contactRewriteUse = 0
account.natConfig.sipStunUse = account.natConfig.mediaStunUse = pj.PJSUA_STUN_USE_DISABLED
phone = Account()
phone.create(account)


def pump(seconds):
    end = time.time() + seconds
    while time.time() < end:
        ep.libHandleEvents(10)


def active():
    return [c for c in calls if c.isActive()]


def obey(line):
    word, _, rest = line.partition(" ")
    if word == "dial":
        call = Call(phone)
        calls.append(call)
        how = pj.CallOpParam(True)
        how.opt.audioCount, how.opt.videoCount = 1, 0
        call.makeCall(rest, how)
    elif word == "answer":
        for call in active():
            how = pj.CallOpParam()
            how.statusCode = 200
            call.answer(how)
    elif word == "dtmf":
        for call in active():
            call.dialDtmf(rest)
    elif word == "hold":
        for call in active():
            call.setHold(pj.CallOpParam())
    elif word == "resume":
        for call in active():
            how = pj.CallOpParam(True)
            how.opt.flag = pj.PJSUA_CALL_UNHOLD
            call.reinvite(how)
    elif word == "hangup":
        for call in active():
            say("dump", call.dump(True, " ").replace("\n", " "))
            call.hangup(pj.CallOpParam())
    return word != "quit"


pending, going = "", True
while going:
    ep.libHandleEvents(10)
    if select.select([0], [], [], 0)[0]:
        octets = os.read(0, 4096)
        pending += octets.decode()
        if not octets:
            break
        *lines, pending = pending.split("\n")
        going = all([obey(line.strip()) for line in lines])
for call in active():
    call.hangup(pj.CallOpParam())
pump(0.5)
media.clear()
calls.clear()
phone.shutdown()
ep.libDestroy()
say("end")
sys.stdout.flush()
# Not sys.exit: the library aborts in the interpreter's ordinary end.
os._exit(0)
