/** A phone in a browser that we did not write: SIP.js in Chromium (browser/phone.js), its audio by DTLS-SRTP and ICE. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join, normalize } from 'node:path'
import { chromium } from 'playwright-core'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)

export const whyNoBrowser = (): string | undefined =>
  executablePath === undefined ? 'no Chromium on this machine' : undefined

/** For whatever a browser does. */
export const WAIT_MS = 20_000

export interface BrowserPhone {
  /** A method of the phone in the page. */
  run<T>(call: string): Promise<T>
  /** Within the width of a bin and the drift of clocks. */
  hears(hz: number): Promise<void>
  /** Packets of audio that came, as far as they could be decrypted. */
  played(): Promise<number>
  /** Its audio is encrypted, and goes by a way that ICE has found. */
  negotiated(): Promise<void>
  close(): Promise<void>
}

export async function startBrowserPhone(): Promise<BrowserPhone> {
  const server = await servePage()
  const browser = await chromium.launch({
    executablePath: executablePath as string,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
      ...['--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'],
      ...['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--ignore-certificate-errors'],
      '--allow-loopback-in-peer-connection',
    ],
  })
  const context = await browser.newContext({ permissions: ['microphone'], ignoreHTTPSErrors: true })
  const tab = await context.newPage()
  const { port } = server.address() as { port: number }
  await tab.goto(`http://localhost:${port}/`)
  const run = <T>(call: string): Promise<T> => tab.evaluate(`window.phone.${call}`)
  return {
    run,
    async hears(hz) {
      const limit = performance.now() + WAIT_MS
      for (;;) {
        const heard = await run<number>('hears()')
        if (Math.abs(heard - hz) < 15) return
        assert.ok(performance.now() < limit, `the browser hears ${heard} Hz, not ${hz}`)
        await new Promise((done) => setTimeout(done, 100))
      }
    },
    played: () => run<number>('played()'),
    async negotiated() {
      const limit = performance.now() + WAIT_MS
      for (;;) {
        const media = await run<Record<string, string>>('media()')
        const way = media.ice === 'connected' || media.ice === 'completed'
        if (media.dtls === 'connected' && way && /^(AES|AEAD)/.test(media.srtp ?? '')) return
        assert.ok(performance.now() < limit, JSON.stringify(media))
        await new Promise((done) => setTimeout(done, 100))
      }
    },
    async close() {
      await browser.close()
      server.close()
    },
  }
}

/** The page, its script, and SIP.js as it comes from npm. */
async function servePage(): Promise<Server> {
  const sip = join(import.meta.dirname, '../../../node_modules/sip.js/lib')
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://x').pathname)
    const file = path.startsWith('/sip.js/')
      ? join(sip, path.slice('/sip.js'.length))
      : join(import.meta.dirname, 'browser/phone.js')
    if (path === '/') {
      response.setHeader('content-type', 'text/html')
      response.end('<!doctype html><title>phone</title><script type="module" src="/phone.js"></script>')
      return
    }
    readFile(file).then(
      (text) => {
        response.setHeader('content-type', 'text/javascript')
        response.end(text)
      },
      () => response.writeHead(404).end(),
    )
  })
  server.listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  return server
}
