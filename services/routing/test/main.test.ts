import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { makeStreams } from '@tandem/bus/streams.ts'
import { CONFIG_BUCKET, CONFIG_KEY, writeRevision } from '@tandem/config/revision.ts'
import { startPrivateNats } from '@tandem/testing/nats.ts'
import { acmeText } from './acme.ts'

test('the process waits for the bucket, says when it is ready, and ends cleanly on SIGTERM', async () => {
  const nats = await startPrivateNats({ streams: false })
  const environment = {
    ...process.env,
    NATS_URL: nats.url,
    NATS_USER: 'routing',
    NATS_PASSWORD: nats.passwords.routing,
  }
  const main = spawn(process.execPath, [new URL('../src/main.ts', import.meta.url).pathname], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const lines = createInterface({ input: main.stdout })[Symbol.asyncIterator]()
    const said = async (what: string): Promise<Record<string, unknown>> => {
      for (;;) {
        const { value, done } = await lines.next()
        assert.ok(!done, `the process ended before it said "${what}"`)
        const line = JSON.parse(value) as Record<string, unknown>
        if (line.msg === what) return line
      }
    }
    const { health } = await said('health')
    assert.equal((await fetch(`http://127.0.0.1:${health}/readyz`)).status, 503)

    const console = await nats.bus('console')
    await makeStreams(console.connection)
    const revision = { revision: 3, by: 'test', at: '2026-03-10T17:00:00Z', why: '', decks: {} }
    const bytes = writeRevision({ ...revision, source: [{ path: 'acme.yaml', text: acmeText }] })
    await (await console.bucket(CONFIG_BUCKET)).put(CONFIG_KEY, bytes)
    assert.equal((await said('configuration in force')).revision, 3)
    // ready as soon as the server has taken the subscriptions
    let status = 503
    for (let tries = 0; status !== 200 && tries < 800; tries++) {
      status = (await fetch(`http://127.0.0.1:${health}/readyz`)).status
      if (status !== 200) await new Promise((done) => setTimeout(done, 25))
    }
    assert.equal(status, 200)

    const gone = once(main, 'exit')
    main.kill('SIGTERM')
    assert.deepEqual(await gone, [0, null])
  } finally {
    main.kill('SIGKILL')
    await nats.close()
  }
})
