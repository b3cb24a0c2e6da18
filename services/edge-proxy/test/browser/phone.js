// A phone in a browser: SIP.js, a tone for a microphone, and an ear that tells the loudest frequency.
import { Inviter, Registerer, RegistererState, SessionState, UserAgent } from '/sip.js/index.js'

const sessionDescriptionHandlerOptions = { constraints: { audio: true, video: false } }
const context = new AudioContext()
let registerer
let session
let ear

/** In place of a microphone: a tone of `hz`. */
function speak(hz) {
  const tone = context.createOscillator()
  tone.frequency.value = hz
  const out = context.createMediaStreamDestination()
  tone.connect(out)
  tone.start()
  navigator.mediaDevices.getUserMedia = async () => out.stream.clone()
}

function listen(peer) {
  peer.addEventListener('track', ({ track }) => {
    const stream = new MediaStream([track])
    // Chromium decodes a remote track only when something plays it
    const player = new Audio()
    player.srcObject = stream
    void player.play()
    ear = context.createAnalyser()
    ear.fftSize = 8192
    context.createMediaStreamSource(stream).connect(ear)
  })
}

const hooked = {
  onSessionDescriptionHandler: (handler) => listen(handler.peerConnection),
}

function until(emitter, wanted, failed) {
  return new Promise((done, fail) => {
    emitter.stateChange.addListener((state) => {
      if (state === wanted) done(state)
      if (state === failed) fail(new Error(`is ${state}`))
    })
  })
}

async function comeBack(agent) {
  for (;;) {
    try {
      await agent.reconnect()
      return void (await registerer.register())
    } catch {
      await new Promise((done) => setTimeout(done, 200))
    }
  }
}

window.phone = {
  async register({ server, user, domain, password, hz }) {
    await context.resume()
    speak(hz)
    const agent = new UserAgent({
      uri: UserAgent.makeURI(`sip:${user}@${domain}`),
      authorizationUsername: user,
      authorizationPassword: password,
      transportOptions: { server },
      logBuiltinEnabled: false,
      sessionDescriptionHandlerFactoryOptions: {
        peerConnectionConfiguration: { iceServers: [] },
        iceGatheringTimeout: 1000,
      },
      delegate: {
        // RFC 5626 4.4.1: a flow that broke is opened anew, and the phone registers over it; until then it tries again
        onDisconnect(error) {
          if (error) void comeBack(agent)
        },
        onInvite(invitation) {
          session = invitation
          invitation.delegate = hooked
          void invitation.accept({ sessionDescriptionHandlerOptions })
        },
      },
    })
    await agent.start()
    registerer = new Registerer(agent)
    window.phone.agent = agent
    const registered = until(registerer, RegistererState.Registered, RegistererState.Terminated)
    await registerer.register()
    await registered
  },
  async call(target) {
    session = new Inviter(window.phone.agent, UserAgent.makeURI(target), { sessionDescriptionHandlerOptions })
    session.delegate = hooked
    const up = until(session, SessionState.Established, SessionState.Terminated)
    await session.invite()
    await up
  },
  state: () => session?.state,
  bye: () => session.bye(),
  /** The loudest frequency, Hz; 0 while nothing is loud. */
  hears() {
    if (!ear) return 0
    const bins = new Float32Array(ear.frequencyBinCount)
    ear.getFloatFrequencyData(bins)
    let best = 0
    for (let i = 1; i < bins.length; i++) if (bins[i] > bins[best]) best = i
    return bins[best] > -60 ? Math.round((best * context.sampleRate) / ear.fftSize) : 0
  },
  async played() {
    const report = await session.sessionDescriptionHandler.peerConnection.getStats()
    return [...report.values()].find((s) => s.type === 'inbound-rtp')?.packetsReceived ?? 0
  },
  /** What was negotiated. */
  async media() {
    const report = await session.sessionDescriptionHandler.peerConnection.getStats()
    const found = {}
    for (const s of report.values()) {
      if (s.type === 'transport') Object.assign(found, { dtls: s.dtlsState, srtp: s.srtpCipher, ice: s.iceState })
      if (s.type === 'codec') found.codec = s.mimeType
    }
    return found
  },
}
