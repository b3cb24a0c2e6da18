import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'

const at = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)

/** A service that stumbles twice after its start, asynchronously, then says that it lives. */
function service(options: string): ReturnType<typeof spawn> {
  const script = `
    import { createLogger } from ${at('../src/log.ts')}
    import { runService } from ${at('../src/run.ts')}
    const log = createLogger({ service: 'edge-proxy', level: 'info' })
    const start = async () => {
      setTimeout(() => { throw new Error('of a timer') }, 50)
      setTimeout(() => void Promise.reject(new Error('of a promise')), 100)
      setTimeout(() => log.info('lives'), 150)
      const stays = setInterval(() => {}, 1000)
      return { stop: async () => clearInterval(stays) }
    }
    runService(log, start, ${options})
  `
  return spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: ['pipe', 'pipe', 'pipe'] })
}

async function until(child: ReturnType<typeof spawn>, what: RegExp): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += chunk
    if (what.test(text)) break
  }
  return text
}

test('a process that goes on logs what nobody caught, lives, and still stops on SIGTERM', async () => {
  const child = service('{ goesOn: true }')
  const text = await until(child, /lives/)
  assert.match(text, /of a timer/)
  assert.match(text, /of a promise/)
  assert.equal((text.match(/"alarm":"uncaught"/g) ?? []).length, 2)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [0, null])
})

test('any other process ends, to be started again', async () => {
  const child = service('{}')
  const [code] = await once(child, 'exit')
  assert.notEqual(code, 0)
})

test('a service whose log nobody reads any more works on and ends when it is told to', async () => {
  const child = service('{ goesOn: true }')
  const started = once(child.stdout as NodeJS.ReadableStream, 'data')
  await started
  child.stdout?.destroy()
  await setTimeout(400) // by now it has stumbled twice and said so to nobody
  assert.equal(child.exitCode, null)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [0, null])
})

test('what a service says at its end is read whole', async () => {
  const child = service('{ goesOn: true }')
  let text = ''
  child.stdout?.on('data', (chunk) => {
    text += chunk
    if (/lives/.test(text)) child.kill('SIGTERM')
  })
  await once(child, 'close')
  assert.match(text, /"stopping"/)
})

test('an error is written at once, with what waited to be written: a process that is killed then has said it', async () => {
  const script = `
    import { createLogger } from ${at('../src/log.ts')}
    const log = createLogger({ service: 'edge-proxy', level: 'info' })
    log.info('before')
    log.error('of the end')
    // no turn of the event loop, and no exit, comes after this one
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
    process.kill(process.pid, 'SIGKILL')
  `
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: 'pipe' })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  const [code, signal] = await once(child, 'close')
  assert.deepEqual([code, signal], [null, 'SIGKILL'])
  assert.match(text, /"before".*\n.*"of the end"/)
})
