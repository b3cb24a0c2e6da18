// Installs what is missing on this machine and says each thing. Plain Node >= 18, no packages: it runs before there are any.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { buildPage } from './build-page.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const NODE_MAJOR = 24

/** Programs of the system: who needs them, and the package that holds them. */
const PROGRAMS = {
  'nats-server': { apt: 'nats-server', brew: 'nats-server', why: 'the message bus' },
  sipp: { apt: 'sip-tester', brew: 'sipp', why: 'end-to-end calls in the tests' },
  baresip: { apt: 'baresip', brew: 'baresip', why: 'a softphone in the tests' },
  rtpengine: { apt: 'rtpengine-daemon', brew: null, why: 'the other media engine in the tests' },
  ip: { apt: 'iproute2', brew: null, why: 'networks of their own in the tests' },
  nft: { apt: 'nftables', brew: null, why: 'firewalls and NATs in the tests' },
  tcpdump: { apt: 'tcpdump', brew: null, why: 'what crossed the wire in the tests' },
  kamailio: { apt: 'kamailio', brew: null, why: 'a registrar in the tests' },
  tshark: { apt: 'tshark', brew: 'wireshark', why: 'an independent reader of captures in the tests' },
  sngrep: { apt: 'sngrep', brew: 'sngrep', why: 'a collector of SIP messages in the tests' },
  chromium: { apt: 'chromium', brew: null, why: 'the console in a browser in the tests' },
}

/** Packages that start a service of the same name, and why it is not wanted. */
const SERVICES = {
  'nats-server': 'Tandem runs its own',
  'rtpengine-daemon': 'the tests run their own',
  kamailio: 'the tests run their own',
}

/**
 * Makes this machine ready. `tests`: also what only the tests need; of that, what cannot be installed is returned with its
 * reason. What starting needs and cannot be installed throws a SetupError that says what to do.
 * @param {{ tests?: boolean, say?: (line: string) => void }} [options]
 * @returns {Promise<{ node: string, missing: { program: string, reason: string }[] }>}
 */
export async function setup({ tests = false, say = console.log } = {}) {
  if (!packagesAreCurrent()) {
    say('installing the packages (npm ci) …')
    await run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], { cwd: root })
  }
  const node = await findNode(say)
  const missing = []
  if ((tests || !process.env.NATS_URL) && !(await install(['nats-server'], say))) {
    throw new SetupError(
      'nats-server is missing and could not be installed.\n' +
        'Debian/Ubuntu: sudo apt-get install nats-server · macOS: brew install nats-server · else https://nats.io/download, and put it on the PATH.\n' +
        'Or set NATS_URL to a NATS server with JetStream that runs already.',
    )
  }
  if (tests) {
    const wanted = Object.keys(PROGRAMS).filter((p) => p !== 'nats-server')
    if (!(await install(wanted, say))) {
      for (const program of wanted.filter((p) => findProgram(p) === null)) {
        missing.push({
          program,
          reason: `${program} is not installed (${PROGRAMS[program].why}): install ${PROGRAMS[program].apt}`,
        })
      }
    }
  }
  buildPage(node, say)
  return { node, missing }
}

export class SetupError extends Error {}

/** Everything that package-lock.json names is in node_modules in that version (optional packages may lack). */
function packagesAreCurrent() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
    const there = JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8')).packages
    return Object.entries(wanted).every(([path, entry]) => {
      if (path === '' || !path.includes('node_modules/') || entry.optional || entry.peer) return true
      return there[path] !== undefined && there[path].version === entry.version
    })
  } catch {
    return false
  }
}

/** A Node that runs TypeScript: this one, or the one that came with the packages. */
async function findNode(say) {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath
  const linked = join(root, 'node_modules', '.bin', 'node')
  if (existsSync(linked)) return realpathSync(linked)
  const wanted = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  say(`installing Node ${NODE_MAJOR} for Tandem's own use (npm package ${wanted}) …`)
  await run('npm', ['install', '--no-save', '--no-fund', '--no-audit', '--loglevel=error', `${wanted}@${NODE_MAJOR}`], {
    cwd: root,
  }).catch(() => {})
  const own = join(root, 'node_modules', wanted, 'bin', 'node')
  if (existsSync(own)) return own
  throw new SetupError(
    `Node ${NODE_MAJOR} is needed, this is ${process.version}, and npm has none for this machine: install it from https://nodejs.org and run this again.`,
  )
}

/** Path of a program, also where PATH of a plain user does not look. */
export function findProgram(name) {
  const names = name === 'chromium' ? ['chromium', 'chromium-browser', 'google-chrome'] : [name]
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/bin',
    '/usr/local/sbin',
    '/opt/homebrew/bin',
  ]
  for (const folder of folders) {
    for (const each of names) {
      const path = join(folder, each)
      if (folder && existsSync(path)) return path
    }
  }
  const mac = '/Applications/Chromium.app/Contents/MacOS/Chromium'
  return name === 'chromium' && existsSync(mac) ? mac : null
}

async function install(programs, say) {
  const lacking = programs.filter((p) => findProgram(p) === null)
  if (lacking.length === 0) return true
  if (findProgram('apt-get'))
    await installByApt(
      lacking.map((p) => PROGRAMS[p].apt),
      say,
    )
  else if (findProgram('brew'))
    await installByBrew(
      lacking.flatMap((p) => PROGRAMS[p].brew ?? []),
      say,
    )
  return programs.every((p) => findProgram(p) !== null)
}

async function installByApt(packages, say) {
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (asRoot.length > 0 && spawnSync('sudo', ['-n', 'true']).status !== 0) {
    if (!process.stdin.isTTY || !findProgram('sudo')) return
    asRoot.pop() // a person is there to type the password
  }
  const apt = async (...args) => {
    const [command, ...rest] = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-y', ...args]
    await run(command, rest, { quiet: true })
  }
  say(`installing ${packages.join(', ')} (apt-get install) …`)
  // what runs as a service already is somebody's
  const ran = Object.keys(SERVICES).filter(runsAsService)
  try {
    await apt('install', '--no-install-recommends', ...packages)
  } catch {
    try {
      await apt('update')
      await apt('install', '--no-install-recommends', ...packages)
    } catch {
      // one by one: what the system does have is still worth having
      for (const each of packages)
        await apt('install', '--no-install-recommends', each).catch((e) => say(`  ${each}: ${e.message}`))
    }
  }
  for (const [service, why] of Object.entries(SERVICES)) {
    if (!packages.includes(service) || ran.includes(service) || !runsAsService(service)) continue
    say(`the package ${service} started a system service; ${why}: stopping and disabling that one`)
    const [command, ...rest] = [...asRoot, 'systemctl', 'disable', '--now', service]
    await run(command, rest, { quiet: true }).catch(() => {})
  }
}

function runsAsService(name) {
  return existsSync('/run/systemd/system') && spawnSync('systemctl', ['is-active', '--quiet', name]).status === 0
}

async function installByBrew(packages, say) {
  for (const each of packages) {
    say(`installing ${each} (brew install) …`)
    await run('brew', ['install', '--quiet', each], {}).catch((e) => say(`  ${each}: ${e.message}`))
  }
}

/** Runs to the end; what it printed is shown only when it failed. */
async function run(command, args, { cwd, quiet = false } = {}) {
  await new Promise((done, fail) => {
    const child = spawn(command, args, { cwd, stdio: ['inherit', 'pipe', 'pipe'] })
    let said = ''
    const keep = (chunk) => {
      said = (said + chunk).slice(-4000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => fail(new SetupError(`${command} does not start: ${error.message}`)))
    child.on('exit', (code) => {
      if (code === 0) return done()
      const tail = said
        .trim()
        .split('\n')
        .slice(quiet ? -3 : -15)
        .join('\n')
      fail(new SetupError(`${command} ${args.slice(0, 3).join(' ')} failed (status ${code}):\n${tail}`))
    })
  })
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  try {
    const { missing } = await setup({ tests: process.argv.includes('--tests') })
    for (const { reason } of missing) console.log(reason)
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(error.message)
    process.exit(1)
  }
}
