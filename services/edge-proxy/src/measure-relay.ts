/**
 * The media engine of the edge alone, without calls around it: started by `tandem bench rtp`, which tells it over IPC how
 * many calls to carry. With `rtpengine` it only controls that one.
 */
import { createLogger } from '@tandem/observability/log.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { realClock } from './adapters/clock.ts'
import { openMediaEngine } from './adapters/open-media-engine.ts'
import type { Described, MediaLeg } from './domain/media-engine.ts'
import { PLAIN_MEDIA } from './domain/media-policy.ts'

type Ports = readonly [alice: number, bob: number]

/** The ports of the two phones of each call; answered with the ports at which the relay hears each of them. */
interface Asked {
  readonly id: number
  readonly order: readonly Ports[]
}

const ADDRESS = '127.0.0.1'
const [relay = 'embedded', firstPort = '', lastPort = '', ...control] = process.argv.slice(2)
const clock = realClock()
const engine = openMediaEngine(
  {
    ...{ relay: relay as 'embedded' | 'rtpengine', control, address: ADDRESS },
    ...{ firstPort: Number(firstPort), lastPort: Number(lastPort) },
  },
  { clock, log: createLogger({ service: 'edge-proxy', level: 'warn' }) },
)
let legs = 0

function description(port: number): Sdp {
  const text = `v=0\r\no=- 1 1 IN IP4 ${ADDRESS}\r\ns=-\r\nc=IN IP4 ${ADDRESS}\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n`
  const parsed = parseSdp(text)
  if (parsed.kind !== 'sdp') throw new Error('our own description does not parse')
  return parsed.sdp
}

const openLeg = () => engine.openLeg({ legId: `leg-${++legs}`, emergency: false, ...PLAIN_MEDIA })

function portIn(ask: (done: Described) => void): Promise<number> {
  return new Promise((done, fail) =>
    ask((text, why) => {
      const port = Number(/^m=audio (\d+)/m.exec(text ?? '')?.[1] ?? 0)
      if (port > 0) done(port)
      else fail(new Error(`no port for a leg (${why ?? text})`))
    }),
  )
}

async function openCall([alice, bob]: Ports): Promise<Ports> {
  const [a, b]: [MediaLeg, MediaLeg] = [openLeg(), openLeg()]
  const peer = { address: ADDRESS, behindNat: false }
  const hearsBob = await portIn((done) => a.offer(description(alice), peer, b, done))
  const hearsAlice = await portIn((done) => b.answer(description(bob), peer, a, done))
  a.connect(b)
  return [hearsAlice, hearsBob]
}

async function openCalls(calls: readonly Ports[]): Promise<Ports[]> {
  const opened: Ports[] = []
  for (const call of calls) opened.push(await openCall(call))
  return opened
}

process.on('message', ({ id, order }: Asked) => {
  openCalls(order).then(
    (answer) => process.send?.({ id, answer }),
    (error: Error) => process.send?.({ id, error: error.message }),
  )
})
// the measurement is over
process.on('disconnect', () => process.exit(0))
