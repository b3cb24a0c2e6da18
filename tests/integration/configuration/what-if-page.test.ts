/** routing.md R10: what would become of a call, asked on the page of a real console and answered by a real router. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { TrunkChanged } from '@tandem/contracts/registration.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type Browser, chromium } from 'playwright-core'
import { type Console, startConsole } from '../../../services/console/src/service.ts'
import { type RoutingService, startRouting } from '../../../services/routing/src/service.ts'

const root = join(import.meta.dirname, '../../..')
const page = join(root, 'services/console/dist/page')
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const skip =
  executablePath === undefined
    ? 'no Chromium on this machine'
    : existsSync(page)
      ? false
      : 'the page is not built (npm test builds it)'
const log = createLogger({ service: 'test', level: 'silent' })

let nats: PrivateNats
let routing: RoutingService
let served: Console
let browser: Browser

before(async () => {
  if (skip) return
  nats = await startPrivateNats()
  routing = startRouting({ bus: await nats.bus('routing'), log, clock: Date.now })
  served = await startConsole({
    ...{ bus: await nats.bus('console'), log, host: '127.0.0.1', port: 0, tokens: [], openOnLoopback: true, page },
  })
  const edge = await nats.bus('edge-proxy')
  const at = new Date().toISOString()
  edge.tell(TrunkChanged, { trunk: 'itsp-a', edge: 'edge-1', at, health: 'up', calls: 12 })
  edge.tell(TrunkChanged, { trunk: 'itsp-b', edge: 'edge-1', at, health: 'down', calls: 0 })
  const text = readFileSync(join(root, 'examples/acme/tandem.yaml'), 'utf8')
  const decks = { 'rates/itsp-a.csv': readFileSync(join(root, 'examples/acme/rates/itsp-a.csv'), 'utf8') }
  const applied = await fetch(`http://127.0.0.1:${served.port}/api/v1/config/apply`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ source: [{ path: 'tandem.yaml', text }], decks }),
  })
  assert.equal(applied.status, 200, await applied.text())
  browser = await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox', '--disable-gpu'] })
})
after(async () => {
  await browser?.close()
  await served?.stop()
  await routing?.stop()
  await nats?.close()
})

test('the page answers what would become of a call: every stage, and each trunk with what it would be sent', {
  skip,
}, async () => {
  const tab = await browser.newPage({ viewport: { width: 1500, height: 1000 } })
  const errors: string[] = []
  tab.on('pageerror', (e) => errors.push(e.message))
  await tab.goto(`http://127.0.0.1:${served.port}/`)
  await tab.getByRole('link', { name: 'What if?' }).click()
  const ask = async (from: string, to: string) => {
    await tab.getByLabel('Who calls').fill(from)
    await tab.getByLabel('dials').fill(to)
    await tab.getByRole('button', { name: 'What happens?' }).click()
  }
  await ask('alice', '912065550100')
  const first = tab.locator('[data-place="itsp-a"]')
  await first.getByText('called 12065550100').waitFor()
  for (const said of ['up', '12 of 100 calls', 'From: "alice" <sip:+14255551001@acme.example>'])
    await first.getByText(said).first().waitFor()
  await tab.locator('[data-place="itsp-b"]').getByText('down').waitFor()
  await tab.getByText('after the outside-line prefix: rule long-distance').waitFor()
  assert.equal(await tab.getByText('rule seven-digit').count(), 0, 'what did not match is not shown')
  await tab.getByLabel('show what did not match').click({ force: true })
  await tab.getByText('after the outside-line prefix: rule seven-digit').waitFor()

  await ask('bob', '9011442079460000')
  await tab.getByText('Refused with SIP 403').waitFor()
  await tab.getByText('takes +442079460000, but only for international').waitFor()
  await ask('bob', '911')
  await tab.getByText('emergency call', { exact: true }).waitFor()
  assert.deepEqual(errors, [])
})
