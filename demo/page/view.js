/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @param {ParentNode} parent
 * @returns {T}
 */
export function find(selector, type, parent = document) {
  const element = parent.querySelector(selector)
  if (element instanceof type) return element
  throw new Error(`The page has no ${selector}`)
}

/**
 * Copies a text when the button is pressed. The button itself says whether that worked.
 * @param {HTMLButtonElement} button
 * @param {() => string} getText
 */
export function copyOnClick(button, getText) {
  const label = button.textContent
  button.addEventListener('click', async () => {
    const result = await navigator.clipboard.writeText(getText()).then(
      () => 'Copied',
      () => 'The browser doesn’t allow copying',
    )
    button.textContent = result
    find('#spoken', HTMLElement).textContent = result
    setTimeout(() => (button.textContent = label), 2000)
  })
}

/** @param {number} seconds */
export function clock(seconds) {
  const digits = (/** @type {number} */ number) => String(number).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  return `${hours ? `${hours}:` : ''}${digits(minutes % 60)}:${digits(seconds % 60)}`
}

/**
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function clone(selector) {
  const { firstElementChild } = find(selector, HTMLTemplateElement).content
  return /** @type {HTMLElement} */ (firstElementChild?.cloneNode(true))
}

/**
 * @param {string} name
 * @param {string} className
 * @param {string} content
 */
export function element(name, className = '', content = '') {
  const made = document.createElement(name)
  if (className) made.className = className
  made.textContent = content
  return made
}

/**
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {string} content
 */
export function write(parent, selector, content) {
  find(selector, HTMLElement, parent).textContent = content
}

/**
 * @param {HTMLElement} notice
 * @param {string} message
 * @param {boolean} bad
 */
export function say(notice, message, bad = false) {
  notice.classList.toggle('bad', bad)
  notice.textContent = message
}
