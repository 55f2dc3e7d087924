/** Which page is on screen: the one table from a model to what is drawn. */
import type { Model } from "../model.ts"
import { codePage } from "./code.ts"
import { confirmPage, membersPage } from "./group.ts"
import { helpPage } from "./help.ts"
import type { Page } from "./page.tsx"
import {
  addPage,
  contactsPage,
  gonePage,
  pastePage,
  picturePage,
  startingPage,
  tooSmall,
  tooSmallPage,
  unlockPage,
} from "./pages.ts"
import { searchPage } from "./search.ts"
import { setupPage } from "./setup.ts"
import { backupPage } from "./backup.ts"
import { verifyPage } from "./verify.ts"

/** The page that covers the screen, or null when the chat itself is shown. */
export function pageOf(model: Model): Page | null {
  if (tooSmall(model)) return tooSmallPage()
  switch (model.overlay?.name) {
    case "help":
      return helpPage(model, model.overlay.scroll)
    case "contacts":
      return contactsPage(model, model.overlay.scroll)
    case "search":
      return searchPage(model, model.overlay)
    case "code":
      return codePage(model, model.overlay)
    case "add":
      return addPage(model, model.overlay)
    case "verify":
      return verifyPage(model, model.overlay)
    case "members":
      return membersPage(model, model.overlay)
    case "backup":
      return backupPage(model, model.overlay)
    case "confirm":
      return confirmPage(model, model.overlay)
    case "picture":
      return picturePage(model, model.overlay)
    case "paste":
      return pastePage(model, model.overlay)
    case undefined:
      break
  }
  switch (model.screen.name) {
    case "starting":
      return startingPage(model)
    case "setup":
      return setupPage(model, model.screen.setup)
    case "unlock":
      return unlockPage(model, model.screen)
    case "gone":
      return gonePage(model, model.screen)
    case "chat":
      return null
  }
}
