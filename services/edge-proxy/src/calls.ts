/** Calls with everything they need on this machine: the relay, the outbox, and what may be asked of them on the bus. */
import { join } from 'node:path'
import type { Environment } from '@tandem/config/secrets.ts'
import { HangUp, PlaceCall } from '@tandem/contracts/edge.ts'
import { clusterSecret } from './adapters/cluster-secret.ts'
import { openMediaEngine } from './adapters/open-media-engine.ts'
import { openOutbox } from './adapters/outbox.ts'
import type { Edge } from './edge.ts'
import { type CallControl, createCalls } from './on-invite.ts'
import { createSurvival } from './survival.ts'

/** An edge that does not have the call says so only after this, so that the one that has it is heard first, ms. */
const NOT_MINE_MS = 300

/** `dataFolder`: TANDEM_DATA; the outbox lives in its folder `edge`. `env`: where the cluster's secret may be. */
export function callsIn(dataFolder: string, env: Environment = {}): (edge: Edge) => CallControl {
  return (edge) => {
    const media = openMediaEngine(edge.config().edge.media, edge)
    const outbox = openOutbox({ folder: join(dataFolder, 'edge'), bus: edge.bus, log: edge.log })
    const secret = clusterSecret({ config: edge.config, env, folder: join(dataFolder, 'edge'), log: edge.log })
    const survival = createSurvival(edge, secret)
    const calls = createCalls(edge, { media, outbox, survival })
    const stop = edge.bus.answer(
      HangUp,
      async ({ callId, reason }) => {
        if (calls.hangUp(callId, reason)) return { found: true }
        await new Promise<void>((done) => void edge.clock.setTimer(NOT_MINE_MS, done))
        return { found: false }
      },
      { everyReplica: true },
    )
    const stopPlacing = edge.bus.answer(PlaceCall, ({ from, to }) => calls.placeCall(from, to))
    return {
      ...calls,
      async close() {
        await Promise.all([stop(), stopPlacing()])
        await calls.close()
      },
    }
  }
}
