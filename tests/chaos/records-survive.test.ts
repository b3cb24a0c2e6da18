/**
 * Billing.md B1, in its plain form: 300 calls by sipp while billing and then NATS are killed with -9 and come back.
 * Every call has exactly two leg records: none lost, none twice.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cdr } from '@tandem/contracts/billing.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { eventually, type Platform, startPlatform } from '../e2e/platform.ts'
import { findSipp, startSipp } from '../e2e/sipp.ts'

const skip = findSipp() === undefined ? 'sipp is not installed (Debian: sip-tester)' : false
let platform: Platform
before(async () => {
  if (!skip) platform = await startPlatform()
})
after(async () => {
  await platform?.stop()
})

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

interface Page {
  cdrs: Cdr[]
  next?: string
  calls: number
  legs: number
}

async function everyCdr(): Promise<Page> {
  let page = await platform.get<Page>('/api/v1/cdrs?limit=500')
  const cdrs = [...page.cdrs]
  while (page.next !== undefined) {
    page = await platform.get<Page>(`/api/v1/cdrs?limit=500&cursor=${encodeURIComponent(page.next)}`)
    cdrs.push(...page.cdrs)
  }
  return { ...page, cdrs }
}

test('300 calls while billing and then NATS are killed: 300 calls, 600 leg records, none lost, none twice, the sums agree', {
  skip,
}, async () => {
  const localPort = await steadyPort()
  const target = `127.0.0.1:${platform.ports.inside}`
  const user = { user: 'alice', password: platform.secrets.ALICE_PASSWORD as string }
  // Registered once, the flow is known: each INVITE is one INVITE, and the router is asked once for it.
  const registered = await (await startSipp({ scenario: 'user-registers.xml', target, localPort, calls: 1, ...user }))
    .done
  assert.equal(registered.successful, 1, registered.errors)

  const carrier = await startSipp({ scenario: 'carrier-answers.xml', localPort: platform.ports.carrierA, timeout: 120 })
  const dial = async (calls: number) =>
    await startSipp({
      scenario: 'registered-user-calls.xml',
      target,
      localPort,
      calls,
      rate: 15,
      keys: { dialled: '912065550100' },
      timeout: 90,
      ...user,
    })

  // Calls go on while billing is dead: nothing of a call waits for it.
  const first = await dial(150)
  await pause(3000)
  process.kill(await platform.pid('billing'), 'SIGKILL')
  const firstDone = await first.done
  assert.deepEqual([firstDone.successful, firstDone.failed], [150, 0], firstDone.errors)

  // Calls that are up when NATS dies end well; while it is away new ones would get 503, so none are started.
  // fifty at 15 a second are out after 3.3 s, and each is up for one
  const second = await dial(50)
  await pause(3900)
  process.kill(await platform.pid('nats'), 'SIGKILL')
  const secondDone = await second.done
  assert.deepEqual([secondDone.successful, secondDone.failed], [50, 0], secondDone.errors)

  await eventually('NATS and the router are back', explained, 60_000)
  const third = await dial(100)
  const thirdDone = await third.done
  assert.deepEqual([thirdDone.successful, thirdDone.failed], [100, 0], thirdDone.errors)
  await carrier.stop()

  // what a killed server lost is told again by the edge's outbox within two minutes at the latest
  const all = await eventually(
    '600 legs',
    async () => {
      const page = await everyCdr()
      // legs may come while the pages are read, newest first: read again until the pages hold what is counted
      if (page.legs >= 600 && page.cdrs.length >= page.legs) return page
      throw new Error(`${page.legs} legs of ${page.calls} calls are stored`)
    },
    180_000,
  )
  assert.deepEqual([all.calls, all.legs], [300, 600])
  assert.equal(all.cdrs.length, 600)
  assert.equal(new Set(all.cdrs.map((c) => c.legId)).size, 600)
  const byCall = Map.groupBy(all.cdrs, (c) => c.callId)
  assert.equal(byCall.size, 300)
  for (const legs of byCall.values()) assert.deepEqual(legs.map((l) => l.party.kind).sort(), ['trunk', 'user'])

  const summary = await platform.get<{
    cost: Record<string, string>
    ledger: Record<string, string>
    deadLetters: number
  }>('/api/v1/billing/summary')
  assert.deepEqual(summary.ledger, summary.cost)
  assert.equal(summary.deadLetters, 0)
  const tenThousandths = all.cdrs.reduce((sum, c) => sum + Math.round(Number(c.cost.amount) * 10_000), 0)
  assert.equal(Math.round(Number(summary.cost.USD) * 10_000), tenThousandths)
})

async function explained(): Promise<boolean> {
  return (await platform.tandem('explain', '--from', 'alice', '--to', '912065550100', '--json')).code === 0
}
