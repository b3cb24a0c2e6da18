/** A relay of its own for a measurement: the embedded one of the edge in a process without the rest, or an rtpengine. */
import { fileURLToPath } from 'node:url'
import { mediaPorts } from '@tandem/testing/ports.ts'
import { type Rtpengine, startRtpengine } from '@tandem/testing/rtpengine.ts'
import type { Root } from './cpu-time.ts'
import { type Driver, startDriver } from './driver-process.ts'

export interface RelaySystem {
  name: string
  /** What carries packets: for rtpengine not the process that controls it. */
  roots(): Root[]
  /** Carries calls between phones at these ports, two a call; gives the ports that they send to. */
  carry(phones: readonly number[]): Promise<number[]>
  stop(): Promise<void>
}

type Ports = [alice: number, bob: number]

const file = fileURLToPath(new URL('../../../services/edge-proxy/src/measure-relay.ts', import.meta.url))
/** Below what systems hand out by themselves. */
const LOWEST = 10_240
const EPHEMERAL = 32_768
const CALL_MS = 20
const SOON_MS = 30_000

export interface PortRange {
  first: number
  count: number
}

/** Ports for `calls` calls of two relays: each leg has two, some may be taken, and some are kept for emergency calls. */
export function relayPorts(calls: number): [PortRange, PortRange] {
  const count = Math.min(2 * Math.ceil(calls * 2.5 + 50), (EPHEMERAL - LOWEST) / 2)
  const first = mediaPorts(2 * count)
  return [
    { first, count },
    { first: first + count, count },
  ]
}

export function startEmbeddedRelay({ first, count }: PortRange): RelaySystem {
  const engine = startDriver<readonly Ports[], Ports[]>(file, ['embedded', String(first), String(first + count - 1)])
  return {
    name: 'embedded relay',
    roots: () => [{ name: 'relay', pid: engine.pid }],
    carry: (phones) => carry(engine, phones),
    stop: engine.stop,
  }
}

/** In user space, with one thread for packets. */
export async function startRtpengineRelay({ first, count }: PortRange): Promise<RelaySystem> {
  const rtpengine: Rtpengine = await startRtpengine({ firstPort: first, ports: count, threads: 1 })
  // the emergency reserve of the controlling side is not used: it needs no ports
  const control = startDriver<readonly Ports[], Ports[]>(file, ['rtpengine', '0', '0', rtpengine.control])
  return {
    name: 'rtpengine',
    roots: () => [{ name: 'rtpengine', pid: rtpengine.pid }],
    carry: (phones) => carry(control, phones),
    stop: async () => {
      await control.stop()
      await rtpengine.close()
    },
  }
}

async function carry(engine: Driver<readonly Ports[], Ports[]>, phones: readonly number[]): Promise<number[]> {
  const calls = Array.from(
    { length: phones.length / 2 },
    (_, i): Ports => [phones[2 * i] as number, phones[2 * i + 1] as number],
  )
  return (await engine.ask(calls, calls.length * CALL_MS + SOON_MS)).flat()
}
