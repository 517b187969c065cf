import { clone, copyOnClick, element, find, write } from './view.js'

/**
 * @typedef {object} Answer
 * @property {string} path
 * @property {string} sent
 * @property {number} status
 * @property {string} statusText
 * @property {boolean} ok
 * @property {number} ms
 * @property {string} why
 * @property {import('./explain.js').Check[]} checks
 * @property {string | null} challenge
 * @property {string} body
 * @property {string} curl
 * @property {{ label: string, get: (notice: HTMLElement) => Promise<void> } | undefined} wider
 */

const marks = { passed: '✓', failed: '✗', skipped: '–' }
const spokenMarks = { passed: 'passed: ', failed: 'failed: ', skipped: '' }

/**
 * Shows a new answer above the older ones, which are closed.
 * @param {Answer} answer
 */
export function showAnswer({
  path,
  sent,
  status,
  statusText,
  ok,
  ms,
  why,
  checks,
  challenge,
  body,
  curl,
  wider,
}) {
  const list = find('#answers', HTMLElement)
  const item = clone('#answer')
  find('.badge', HTMLElement, item).classList.toggle('good', ok)
  write(item, '.status', String(status))
  write(item, '.status-text', statusText)
  write(item, '.request', `GET ${path}`)
  write(item, '.sent', sent)
  write(item, '.ms', `${ms} ms`)
  write(item, '.why', why)
  find('.checks', HTMLElement, item).replaceChildren(...checks.map(checkRow))
  find('.checks', HTMLElement, item).hidden = checks.length === 0
  /** @type {[string, string, string][]} */
  const details = [
    ['WWW-Authenticate', 'challenge', challenge ?? ''],
    ['Body', 'body', pretty(body)],
  ]
  find('dl', HTMLElement, item).append(
    ...details
      .filter(([, , value]) => value)
      .flatMap(([name, kind, value]) => [element('dt', '', name), element('dd', kind, value)]),
  )
  copyOnClick(find('.copy', HTMLButtonElement, item), () => curl)
  if (wider) {
    const button = find('.wider', HTMLButtonElement, item)
    button.hidden = false
    button.textContent = wider.label
    button.addEventListener('click', () => void wider.get(find('.notice', HTMLElement, item)))
  }
  find('#empty', HTMLElement).hidden = true
  for (const older of list.querySelectorAll('details')) older.open = false
  list.prepend(item)
  item.scrollIntoView({ block: 'nearest' })
  while (list.childElementCount > 8) list.lastElementChild?.remove()
}

/** @param {import('./explain.js').Check} check */
function checkRow({ name, result, text }) {
  const row = element('li', result)
  const mark = element('span', 'mark', marks[result])
  mark.ariaHidden = 'true'
  // Every second part stands between backticks.
  const parts = text
    .split('`')
    .map((part, index) => (index % 2 ? element('code', '', part) : document.createTextNode(part)))
  const unseen = element('span', 'unseen', spokenMarks[result])
  const reason = element('span')
  reason.append(unseen, ...parts)
  row.append(mark, element('b', '', name), reason)
  return row
}

/** @param {string} body */
function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}
