/** One trace from the INVITE to the priced CDR, seen by an OTLP collector; and what every service shows of itself. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cdr } from '@tandem/contracts/billing.ts'
import { serviceNames } from '@tandem/contracts/contract.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { type Collector, startCollector } from './collector.ts'
import { eventually, type Platform, startPlatform } from './platform.ts'
import { findSipp, startSipp } from './sipp.ts'

const skip = findSipp() === undefined ? 'sipp is not installed (Debian: sip-tester)' : false
let collector: Collector
let platform: Platform
before(async () => {
  if (skip) return
  collector = await startCollector()
  platform = await startPlatform(undefined, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '200',
  })
})
after(async () => {
  if (skip) return
  await platform?.stop()
  await collector?.close()
})

test('one trace leads from the INVITE over the route decision to the priced CDR of both legs, and the API and the log name it', {
  skip,
}, async () => {
  const carrier = await startSipp({ scenario: 'carrier-answers.xml', localPort: platform.ports.carrierA, timeout: 60 })
  const user = { user: 'alice', password: platform.secrets.ALICE_PASSWORD as string }
  const caller = await startSipp({
    scenario: 'user-calls.xml',
    target: `127.0.0.1:${platform.ports.inside}`,
    localPort: await steadyPort(),
    calls: 1,
    keys: { dialled: '912065550100' },
    ...user,
  })
  const called = await caller.done
  await carrier.stop()
  assert.equal(called.successful, 1, called.errors)

  const { cdrs } = await eventually('both CDRs', async () => {
    const page = await platform.tandemJson<{ cdrs: Cdr[]; legs: number }>('cdrs')
    return page.legs === 2 && page
  })
  const traceIds = new Set(cdrs.map((c) => c.traceId))
  assert.equal(traceIds.size, 1)
  const [traceId] = traceIds
  assert.match(traceId ?? '', /^[0-9a-f]{32}$/)
  const callId = cdrs[0]?.callId
  assert.deepEqual(await platform.get(`/api/v1/calls/${callId}/trace`), { callId, traceId })

  const spans = await eventually(
    'spans of edge, routing and billing',
    async () => {
      const ours = collector.spans.filter((s) => s.traceId === traceId)
      return (
        ['tandem-edge-proxy', 'tandem-routing', 'tandem-billing'].every((service) =>
          ours.some((s) => s.service === service),
        ) && ours
      )
    },
    20_000,
  )
  // every span but the root hangs on another one of the same trace
  const ids = new Set(spans.map((s) => s.spanId))
  const roots = spans.filter((s) => s.parentSpanId === '')
  assert.deepEqual(
    roots.map((s) => s.service),
    ['tandem-edge-proxy'],
  )
  assert.deepEqual(
    spans.filter((s) => s.parentSpanId !== '' && !ids.has(s.parentSpanId)),
    [],
  )

  const decided = (await platform.log('routing')).split('\n').filter((l) => l.includes(traceId as string))
  assert.ok(decided.length > 0, 'the log of routing carries the trace id')
  assert.ok(
    (await platform.log('edge-proxy')).includes(traceId as string),
    'the log of edge-proxy carries the trace id',
  )
})

test('every service answers /healthz, /readyz and /metrics', { skip }, async () => {
  for (const service of serviceNames) {
    const url = await platform.healthUrl(service)
    for (const path of ['/healthz', '/readyz'])
      assert.equal((await fetch(url + path)).status, 200, `${service} ${path}`)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    assert.match(metrics, /process_cpu_seconds_total/, service)
  }
})
