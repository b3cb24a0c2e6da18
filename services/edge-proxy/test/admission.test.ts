/** edge.md E8, routing.md R9: several edges on one bus share the places of a trunk; a dead one gives them back. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Bus } from '@tandem/bus/bus.ts'
import { type Configuration, resolveConfiguration } from '@tandem/config/defaults.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { type RealClock, realClock } from '../src/adapters/clock.ts'
import { GONE_MS } from '../src/adapters/lease-keeper.ts'
import { createAdmission } from '../src/admission.ts'
import { phoneNeeds, type TrunkLimits, trunkNeeds } from '../src/domain/call-admission.ts'
import type { Held } from '../src/domain/ledger.ts'
import type { Edge } from '../src/edge.ts'
import { testConfiguration } from './start-edge.ts'

const log = createLogger({ service: 'edge-proxy', level: 'silent' })
const base = testConfiguration()
const config: Configuration = resolveConfiguration({
  ...base,
  sites: {
    hq: { ...base.sites.hq, bandwidth: '1Mbit/s' },
    branch: { networks: ['10.2.0.0/16'], bandwidth: '200kbit/s' },
  },
  trunks: {
    'itsp-a': { to: ['sip:192.0.2.1'], from: ['192.0.2.1'], listener: 'carrier', limits: { calls: 20 } },
    'itsp-b': { to: ['sip:192.0.2.2'], from: ['192.0.2.2'], listener: 'carrier', limits: { callsPerSecond: 5 } },
    'itsp-c': { to: ['sip:192.0.2.3'], from: ['192.0.2.3'], listener: 'carrier', limits: { calls: 6 } },
    'itsp-d': { to: ['sip:192.0.2.4'], from: ['192.0.2.4'], listener: 'carrier', limits: { calls: 1 } },
    free: { to: ['sip:192.0.2.5'], from: ['192.0.2.5'], listener: 'carrier' },
  },
})

let nats: PrivateNats
interface Node {
  readonly admission: TrunkLimits
  readonly bus: Bus
  readonly clock: RealClock
}
const nodes: Node[] = []
async function startNode(node: string): Promise<Node> {
  const bus = await nats.bus('edge-proxy')
  const clock = realClock()
  const edge = { node, bus, log, clock, config: () => config } as unknown as Edge
  const started = { admission: createAdmission(edge), bus, clock }
  nodes.push(started)
  return started
}
before(async () => {
  nats = await startPrivateNats()
})
after(async () => {
  for (const { admission, clock } of nodes) {
    await admission.close()
    clock.close()
  }
  await nats.close()
})

const call = (node: Node, trunk: string, site?: string) => node.admission.admit(trunkNeeds(trunk, site, 80), false)
async function until(what: string, condition: () => Promise<boolean>, ms = 20_000): Promise<void> {
  const end = performance.now() + ms
  while (performance.now() < end) {
    if (await condition()) return
    await pause(50)
  }
  assert.fail(`${what}: not within ${ms} ms`)
}
/** As many calls as there are places for. */
async function fill(node: Node, trunk: string, calls: number): Promise<Held[]> {
  const held: Held[] = []
  for (let i = 0; i < calls; i++) {
    const answer = await call(node, trunk)
    if (answer.kind === 'admitted') held.push(answer.held)
  }
  return held
}

test('two edges that are called at once carry exactly the limit together, and say which trunk is full', async () => {
  const [one, two] = [await startNode('edge-1'), await startNode('edge-2')]
  const [a, b] = await Promise.all([fill(one, 'itsp-a', 30), fill(two, 'itsp-a', 30)])
  assert.ok(a.length + b.length <= 20, `${a.length} + ${b.length} of 20`)
  assert.ok(a.length + b.length >= 19, `${a.length} + ${b.length}: places stay unused`)
  await until('the last place', async () => (await fill(one, 'itsp-a', 1)).length === 1 || a.length + b.length === 20)
  const refused = await call(two, 'itsp-a')
  assert.deepEqual(refused, { kind: 'refused', why: 'Trunk itsp-a carries its 20 calls' })
  // a place that one gives back is there for the other
  for (const held of a.splice(0)) held.release()
  await until('the places of the other edge', async () => (await fill(two, 'itsp-a', 1)).length === 1)
  for (const held of b) held.release()
})
test("an emergency call is admitted on a full trunk and takes nobody else's place", async () => {
  const [one] = nodes as [Node]
  await until('the only place', async () => (await fill(one, 'itsp-d', 1)).length === 1)
  for (let i = 0; i < 50; i++)
    assert.equal((await one.admission.admit(trunkNeeds('itsp-d', undefined, 80), true)).kind, 'admitted')
  assert.equal((await call(one, 'itsp-d')).kind, 'refused')
})
test('the only place of a trunk goes from the edge that does not use it to the one that asks', async () => {
  const [one, two] = nodes as [Node, Node]
  const first = await fill(one, 'itsp-c', 6)
  assert.ok(first.length > 0)
  for (const held of first) held.release()
  await until('every place of the trunk', async () => {
    const held = await fill(two, 'itsp-c', 6)
    for (const each of held) each.release()
    return held.length === 6
  })
})
test('admission answers at once from what the edge holds: it waits for nobody', async () => {
  const [one] = nodes as [Node]
  await until('a place', async () => !(call(one, 'itsp-a') instanceof Promise))
  assert.ok(!(call(one, 'free') instanceof Promise), 'a trunk without limits')
})
test('new calls a second are shared too', async () => {
  const [one, two] = nodes as [Node, Node]
  const begun: { asked: number; told: number }[] = []
  const end = performance.now() + 3000
  const press = async (node: Node) => {
    while (performance.now() < end) {
      const asked = performance.now()
      if ((await call(node, 'itsp-b')).kind === 'admitted') begun.push({ asked, told: performance.now() })
      await pause(5)
    }
  }
  await Promise.all([press(one), press(two)])
  // each began between the two: of six the last was told a second after the first was asked
  for (const [i, { asked }] of begun.entries()) {
    const ms = (begun[i + 5]?.told ?? Number.POSITIVE_INFINITY) - asked
    assert.ok(ms >= 980, `six calls began within ${ms} ms`)
  }
  assert.ok(begun.length >= 8, `only ${begun.length} calls in 3 s`)
})
test('a call between sites takes of both links, within one site of none; the codec of the answer gives the rest back', async () => {
  const [one, two] = nodes as [Node, Node]
  const phone = (from: string, to: string) => one.admission.admit(phoneNeeds(from, [to], 80), false)
  for (let i = 0; i < 20; i++) assert.equal((await phone('branch', 'branch')).kind, 'admitted', 'within the branch')
  const held: Held[] = []
  await until('two calls over the link', async () => {
    const answer = await phone('hq', 'branch')
    if (answer.kind === 'admitted') held.push(answer.held)
    return held.length === 2
  })
  assert.deepEqual(await phone('hq', 'branch'), {
    ...{ kind: 'refused', why: 'The link to site branch has no bandwidth left of its 200 kbit/s' },
  })
  assert.equal((await call(two, 'free', 'branch')).kind, 'refused', 'a call to a trunk crosses it too')
  held[0]?.adjust(24)
  held[1]?.adjust(24)
  await until('a third call', async () => (await phone('hq', 'branch')).kind === 'admitted')
})
test('while the bus is away an edge goes on with the places it holds', async () => {
  const [one] = nodes as [Node]
  await until('a place', async () => !(call(one, 'itsp-a') instanceof Promise))
  const kept = await fill(one, 'itsp-a', 30)
  kept.pop()?.release()
  await nats.crash()
  const again = await call(one, 'itsp-a')
  assert.equal(again.kind, 'admitted', 'the place that became free is its own')
  const began = performance.now()
  assert.equal((await call(one, 'itsp-a')).kind, 'refused')
  assert.ok(performance.now() - began < whenBusy(5000))
  await nats.start()
  for (const held of kept) held.release()
  if (again.kind === 'admitted') again.held.release()
})
test('kill -9 of an edge: every place it held is free within a bounded time', async () => {
  const [one, two] = nodes as [Node, Node]
  await until('the bus', async () => one.bus.connected && two.bus.connected)
  for (const node of nodes.splice(0)) {
    await node.admission.close()
    node.clock.close()
  }
  const settings = { url: nats.url, password: nats.passwords['edge-proxy'], config }
  const child = fork(new URL('admission-holder.ts', import.meta.url), [JSON.stringify(settings)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  after(() => child.kill('SIGKILL'))
  const [{ held, links }] = (await once(child, 'message')) as [{ held: number; links: number }]
  assert.equal(held, 20, 'those of the edges that stopped are free, and it takes them all')
  assert.equal(links, 2, 'and the link of a site')
  const three = await startNode('edge-3')
  await until('the bucket', async () => (await call(three, 'itsp-a')).kind === 'refused')
  assert.equal((await call(three, 'free', 'branch')).kind, 'refused', 'its link is full')
  child.kill('SIGKILL')
  const killed = performance.now()
  await until('the places of the dead edge', async () => (await fill(three, 'itsp-a', 20)).length > 0, GONE_MS + 15_000)
  await until('the link of the dead edge', async () => (await call(three, 'free', 'branch')).kind === 'admitted')
  const ms = performance.now() - killed
  assert.ok(ms > GONE_MS / 2, `after ${ms} ms: it was not given the time to be slow`)
})
test('calls that are adopted keep their places: those of the dead edge go to the one that takes them over', async () => {
  const [three] = nodes as [Node]
  const four = await startNode('edge-4')
  await until('a place of its own', async () => (await fill(four, 'itsp-d', 1)).length === 1)
  const held = three.admission.adopt(trunkNeeds('itsp-d', undefined, 80), 'edge-4')
  await pause(300)
  assert.equal((await call(three, 'itsp-d')).kind, 'refused', 'the adopted call is counted')
  held.release()
  await until('its end frees the place', async () => (await call(three, 'itsp-d')).kind === 'admitted')
})
