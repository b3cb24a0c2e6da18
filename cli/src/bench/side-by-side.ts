/** What measurements have in common that start a Tandem of their own, and Kamailio in turns with it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Failure } from '../failure.ts'
import { benchUsers } from './calls-configuration.ts'
import { canReadCpu } from './cpu-time.ts'
import { type FoundKamailio, findKamailio } from './kamailio-system.ts'
import { type LoadProcess, startLoad } from './load-process.ts'
import type { System } from './system.ts'
import { startTandem, type TandemSystem } from './tandem-system.ts'

export interface Measuring {
  signal: AbortSignal
  /** progress, one line each */
  say(line: string): void
}

/** Parts that are open; they are closed in the other order, however the measurement ends. */
export interface Lab {
  readonly folder: string
  /** Runs `close` at the end. */
  keep<T extends { stop(): Promise<void> }>(part: T): T
}

/** A folder of its own, CPU time that can be read, and an end when the signal says so. */
export async function inLab<T>({ signal }: Measuring, measure: (lab: Lab) => Promise<T>): Promise<T> {
  if (!canReadCpu()) throw new Failure('CPU time is read from /proc', 'Run this on Linux, or in a container.')
  const folder = mkdtempSync(join(tmpdir(), 'tandem-bench-'))
  const open: (() => Promise<void>)[] = []
  const stopped = new Promise<never>((_, fail) => {
    signal.addEventListener('abort', () => fail(new Failure('stopped', '')), { once: true })
  })
  const keep: Lab['keep'] = (part) => {
    open.push(() => part.stop())
    return part
  }
  try {
    return await Promise.race([measure({ folder, keep }), stopped])
  } finally {
    for (const close of open.reverse()) await close()
    if (process.env.TANDEM_KEEP !== '1') rmSync(folder, { recursive: true, force: true })
  }
}

export interface Sides {
  readonly load: LoadProcess
  readonly tandem: TandemSystem
  readonly peer: System | null
  /** why there is no peer */
  readonly noPeer: string | null
}

type Kamailio = Extract<FoundKamailio, { kind: 'found' }>

/** `startPeer` is called where Kamailio is installed and wanted. */
export function sideBySide<T>(
  plan: Measuring & { peer: boolean; mediaPorts?: number },
  startPeer: (found: Kamailio, lab: Lab, sides: Pick<Sides, 'load' | 'tandem'>) => Promise<System>,
  measure: (sides: Sides) => Promise<T>,
): Promise<T> {
  return inLab(plan, async (lab) => {
    const { signal, say, mediaPorts } = plan
    const load = lab.keep(await startLoad(benchUsers))
    const carrierPeer = load.carrierPort
    const tandem = lab.keep(
      await startTandem({ folder: lab.folder, carrierPeer, ...(mediaPorts && { mediaPorts }), signal, say, warn: say }),
    )
    const found = plan.peer ? findKamailio() : { kind: 'missing' as const, why: 'not asked for' }
    const peer = found.kind === 'found' ? lab.keep(await startPeer(found, lab, { load, tandem })) : null
    const noPeer = found.kind === 'missing' ? found.why : null
    return await Promise.race([measure({ load, tandem, peer, noPeer }), tandem.up.broken])
  })
}
