/** A process that holds every place it can get and tells how many: for a test that kills it. */
import { connectBus } from '@tandem/bus/bus.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { realClock } from '../src/adapters/clock.ts'
import { createAdmission } from '../src/admission.ts'
import type { Edge } from '../src/edge.ts'

const { url, password, config } = JSON.parse(process.argv[2] as string)
const bus = await connectBus({ service: 'edge-proxy', url, user: 'edge-proxy', password })
const log = createLogger({ service: 'edge-proxy', level: 'silent' })
const edge = { node: 'edge-killed', bus, log, clock: realClock(), config: () => config } as unknown as Edge
const admission = createAdmission(edge)
// as long as it counts alone it would not be told from an edge that has not come up
await new Promise((done) => setTimeout(done, 1500))
const link = { resource: 'site.branch', calls: 0, kbps: 80 }
let links = 0
for (let tries = 0; links < 2 && tries < 100; tries++) {
  if ((await admission.admit([link], false)).kind === 'admitted') links++
  else await new Promise((done) => setTimeout(done, 100))
}
let held = 0
for (let tries = 0; held < 20 && tries < 120; tries++) {
  const answer = await admission.admit([{ resource: 'trunk.itsp-a', calls: 1, kbps: 80 }], false)
  if (answer.kind === 'admitted') held++
  else await new Promise((done) => setTimeout(done, 100))
}
process.send?.({ held, links })
