import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CONFIG_BUCKET, CONFIG_KEY, writeRevision } from '@tandem/config/revision.ts'
import { Locate } from '@tandem/contracts/location.ts'
import { startPrivateNats } from '@tandem/testing/nats.ts'
import { acmeYaml } from './acme.ts'

test('the process waits for a configuration, answers with its own NATS permissions, and stops on SIGTERM', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-location-'))
  const nats = await startPrivateNats()
  const child = spawn(process.execPath, [fileURLToPath(new URL('../src/main.ts', import.meta.url))], {
    env: {
      ...process.env,
      ...{ NATS_URL: nats.url, NATS_USER: 'location', NATS_PASSWORD: nats.passwords.location },
      ...{ LOG_LEVEL: 'info', TANDEM_DATA: folder },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (d: Buffer) => {
    said += d.toString()
  })
  try {
    const console = await nats.bus('console')
    const bucket = await console.bucket(CONFIG_BUCKET)
    const source = [{ path: 'acme.yaml', text: acmeYaml }]
    await bucket.put(
      CONFIG_KEY,
      writeRevision({ revision: 1, by: 'test', at: new Date().toISOString(), why: '', source, decks: {} }),
    )
    let ref: string | undefined
    for (let tries = 0; tries < 600 && ref === undefined; tries++) {
      const asked = await console.ask(Locate, { purpose: 'query', number: '+14255551001' })
      if (asked.kind === 'answer' && asked.answer.kind === 'found') ref = asked.answer.place.ref
      else await new Promise((done) => setTimeout(done, 50))
    }
    assert.equal(ref, 'hq-2-201', said)
    // lines are written together, a little later
    for (let tries = 0; tries < 600 && !said.includes('"health":'); tries++)
      await new Promise((done) => setTimeout(done, 50))
    const port = /"health":(\d+)/.exec(said)?.[1]
    assert.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200)
    assert.doesNotMatch(said, /Permission|restarts/)
  } finally {
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    assert.deepEqual((await gone)[0], 0, said)
    await nats.close()
    await rm(folder, { recursive: true, force: true })
  }
})
