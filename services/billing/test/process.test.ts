import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SummariseBilling } from '@tandem/contracts/billing.ts'
import { callOf, end, type Platform, startPlatform, until } from './platform.ts'

let platform: Platform
before(async () => {
  platform = await startPlatform()
})
after(() => platform.close())

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

async function start(): Promise<{ child: ChildProcess; health: number }> {
  const child = spawn(process.execPath, [main], {
    env: {
      PATH: process.env.PATH,
      NATS_URL: platform.nats.url,
      NATS_USER: 'billing',
      NATS_PASSWORD: platform.nats.passwords.billing,
      DATABASE_URL: platform.server.url,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let log = ''
  child.stdout?.on('data', (text) => {
    log += String(text)
  })
  const health = await until('billing started', async () => Number(/"health":(\d+)/.exec(log)?.[1]) || undefined)
  await until('ready', async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok)
  return { child, health }
}

async function legs(): Promise<number> {
  const asked = await platform.console.ask(SummariseBilling, {})
  return asked.kind === 'answer' ? asked.answer.legs : -1
}

test('kill -9 of the billing process while it takes in records loses none and doubles none', async () => {
  const running = await start()
  const calls = Array.from({ length: 1000 }, (_, i) => callOf(i)).flat()
  const recording = end(platform.edge, ...calls)
  await until('some are stored', async () => (await legs()) > 0)
  running.child.kill('SIGKILL')
  await once(running.child, 'exit')
  await recording
  const again = await start()
  // What the killed process had not acked comes again after the stream's ack wait of 10 s.
  const asked = await until(
    'all are stored',
    async () => {
      const summary = await platform.console.ask(SummariseBilling, {})
      return summary.kind === 'answer' && summary.answer.legs >= 2000 && summary.answer
    },
    60_000,
  )
  assert.deepEqual([asked.legs, asked.calls, asked.deadLetters], [2000, 1000, 0])
  assert.deepEqual(asked.ledger, asked.cost)
  assert.deepEqual(asked.cost, { USD: '29.3' })
  const metrics = await (await fetch(`http://127.0.0.1:${again.health}/metrics`)).text()
  assert.match(metrics, /tandem_billing_legs_total\{outcome="stored"\} \d+/)
  again.child.kill('SIGTERM')
  assert.deepEqual(await once(again.child, 'exit'), [0, null])
})
