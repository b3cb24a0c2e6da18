/** `npm start`: Tandem on this machine with two carriers and two phones, real calls with audio, and what they show. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { colours } from '../print/colours.ts'
import { printFailure } from '../print/failure.ts'
import { listen } from '../up/run-up.ts'
import { startUp, type Up } from '../up/start-up.ts'
import { bill } from './bill.ts'
import { inbound, mobile, outbound, refusingCarrier, remote, silentCarrier } from './calls.ts'
import { type Carriers, type Phones, startCarriers, startPhones } from './cast.ts'
import { calledForHelp, emergency } from './emergency.ts'
import { playSteps, type Stage } from './stage.ts'
import { showWhatWasSeen } from './summary.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const HELP = `npm start                 start Tandem, show real calls, keep running
npm start -- --once       stop after the calls; status 1 when one did not happen
npm start -- --data DIR   another data folder (TANDEM_DATA, default ./.tandem)`

async function demonstrate(once: boolean, data: string | undefined): Promise<number> {
  const began = performance.now()
  const stopping = new AbortController()
  const signals = listen(stopping, () => console.log('\nstopping (again to end at once) …'))
  let up: Up | undefined
  let carriers: Carriers | undefined
  let phones: Phones | undefined
  const stopAll = async () => {
    await phones?.close()
    await up?.stop()
    await carriers?.close()
  }
  try {
    up = await startUp({
      config: join(root, 'examples', 'acme', 'tandem.yaml'),
      data,
      environment: process.env,
      open: true,
      signal: stopping.signal,
      onBegin: (begun) => signals.onSecond(() => begun.kill()),
      say: (line) => console.log(colours.dim(line)),
      warn: (line) => console.log(`${colours.yellow('!')} ${line}`),
      beforeServices: async (secrets, checked) => {
        carriers = await startCarriers(checked.configuration, secrets)
      },
    })
    if (!carriers) throw new Error('no carriers')
    phones = await startPhones(up.checked.configuration, up.secrets, up.folder.path)
    await Promise.all([phones.alice.register(), phones.bob.register(), carriers.b.nextRegistration(10_000)])
    console.log(
      `${colours.green('ready')} in ${((performance.now() - began) / 1000).toFixed(1)} s: alice (UDP, inside) and bob (TLS, another network) are registered, and so are we with carrier B`,
    )

    const stage: Stage = {
      ...carriers,
      ...phones,
      api: up.api,
      helped: await calledForHelp(up.api, 'alice', up.checked.configuration.emergency.callbackMs),
      since: new Date().toISOString(),
      calls: new Map(),
      close: async () => {},
    }
    const steps = [
      outbound,
      inbound,
      remote,
      mobile,
      emergency(up.checked.configuration),
      silentCarrier,
      refusingCarrier,
      bill,
    ]
    const failed = await Promise.race([playSteps(steps, stage, stopping.signal), up.broken])
    if (!stopping.signal.aborted) await showWhatWasSeen(stage, failed)
    if (once || stopping.signal.aborted) {
      await stopAll()
      return failed.length > 0 || stopping.signal.aborted ? 1 : 0
    }
    keepAnswering(phones)
    console.log(closingWords(up))
    await Promise.race([
      up.broken,
      new Promise<void>((done) => stopping.signal.addEventListener('abort', () => done())),
    ])
    await stopAll()
    return 0
  } catch (error) {
    await stopAll()
    return stopping.signal.aborted ? 130 : printFailure(error)
  } finally {
    signals.close()
  }
}

/** From now on both phones pick up: for `tandem call` and for a phone of your own. */
function keepAnswering({ alice, bob }: Phones): void {
  for (const phone of [alice, bob]) {
    phone.onIncoming((call) => void setTimeout(() => void call.answer().catch(() => {}), 1000))
  }
}

function closingWords(up: Up): string {
  const data = up.folder.path === join(process.cwd(), '.tandem') ? '' : ` --data ${up.folder.path}`
  return [
    '',
    `Running. Console: ${colours.cyan(up.api.address)} (open to this machine only, without a token: this is a demonstration)`,
    `Try in another terminal:  npx tandem call --from alice --to 912065550100${data}`,
    `                          npx tandem explain --from bob --to 9011442079460000${data}`,
    `                          npx tandem calls${data} · ladder last · cdrs · presence · locate alice · trunks · status`,
    'Ctrl-C stops everything.',
  ].join('\n')
}

const { values } = parseArgs({
  options: { once: { type: 'boolean' }, data: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
})
if (values.help) console.log(HELP)
else process.exitCode = await demonstrate(values.once ?? false, values.data)
