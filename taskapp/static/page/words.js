// The dictionary. A value with a bar is "one|many" and takes {n}. A test holds German to the same keys.

import { recall, remember } from './browser.js'

export const en = {
  // Places
  today: 'Today', tomorrow: 'Tomorrow', yesterday: 'Yesterday', upcoming: 'Upcoming', overdue: 'Overdue', mine: 'Mine',
  all: 'All tasks', inbox: 'Inbox', done: 'Done', doneView: 'Done', projects: 'Projects', labels: 'Labels', archived: 'Archived',
  lists: 'Lists', week: 'Next 7 days', later: 'Later', none: 'No date', list: 'List', board: 'Board', share: 'Share',
  search: 'Search', searching: 'Searching', add: 'Add', addTask: 'Add a task', more: 'More', skip: 'Skip to the list',
  addHint: 'Water the fern tomorrow #home !high', asText: 'Keep “{word}” as text', unknownProject: 'Another project',
  open: '{n}\u00a0open', isOpen: 'open', nothingOpen: 'Nothing open', closed: '{n} closed', found: '{n} task found|{n} tasks found',
  apiDocs: 'API', somebody: 'Somebody', otherWindow: 'Another window', now: 'just now', showMore: 'Show more', loading: 'Loading',
  // Tasks
  todo: 'To do', in_progress: 'In progress', cancelled: 'Cancelled', priority: 'Priority', prioritynone: 'None', low: 'Low',
  medium: 'Medium', high: 'High', urgent: 'Urgent', status: 'Status', project: 'Project', assignee: 'Assignee', nobody: 'Nobody',
  due: 'Due', dueDay: 'Day', dueAt: 'Time', repeat: 'Repeat', repeatFrom: 'Repeat from', reminders: 'Reminders', title: 'Title',
  notes: 'Notes', parent: 'Subtask of', externalId: 'External id', subtasks: 'Subtasks', attachments: 'Attachments',
  comments: 'Comments', history: 'History', empty: 'empty', complete: 'Complete {title}', drag: 'Shift and an arrow key moves this task',
  never: 'Never', daily: 'Every day', workdays: 'Every workday', weekly: 'Every week', fortnightly: 'Every 2 weeks',
  monthly: 'Every month', yearly: 'Every year', otherRule: 'Another rule (RRULE)', fromDue: 'from the due day', fromDone: 'from when it is done',
  everyDays: 'Every day|Every {n} days', everyWeeks: 'Every week|Every {n} weeks', everyMonths: 'Every month|Every {n} months',
  everyYears: 'Every year|Every {n} years', everyWeekday: 'Every {day}', daySU: 'Sunday', dayMO: 'Monday', dayTU: 'Tuesday',
  dayWE: 'Wednesday', dayTH: 'Thursday', dayFR: 'Friday', daySA: 'Saturday',
  remind0: 'At that time', remindPT10M: '10 minutes before', remindPT1H: '1 hour before', remindP1D: '1 day before',
  remindP7D: '1 week before', remindMoment: 'At another time', addReminder: 'Add a reminder', addLabel: 'Add a label',
  addSubtask: 'Add a subtask', addFile: 'Add a file', addComment: 'Write a comment', remove: 'Remove {what}',
  removeComment: 'Remove this comment', close: 'Close', delete: 'Delete task', download: 'Download {name}', uploading: 'Being sent',
  // What was done
  saidDone: 'Done: {title}', saidNext: 'Done, and the next one is planned: {title}', saidOpen: 'Open again: {title}',
  saidAdded: 'Added: {title}', saidDeleted: 'Deleted: {title}', saidNotDeleted: 'Not deleted, because somebody changed it: {title}',
  saidMoved: '{title}: {status}', undo: 'Undo', undone: 'Undone', saidSent: '{n} change sent|{n} changes sent',
  saidOther: '{who} added “{title}”', saidOtherChanged: '{who} changed “{title}”', saidOthers: '{n} task changed|{n} tasks changed',
  saidGone: 'Somebody deleted “{title}”', taskGone: 'This task is gone.', saidConflict: 'Two versions of “{title}”', look: 'Look',
  saidInvited: '{email} is invited', saidPassword: 'The password is changed', saidMailed: 'If there is such an account, a mail is on its way.',
  saidCopied: 'Copied',
  created: 'created this task', changedField: '{field}: {a} → {b}', edited: 'edited the notes', deletedIt: 'deleted this task',
  restoredIt: 'brought this task back', movedIt: 'moved this task', remindedIt: 'A reminder was due', commentAdded: 'wrote a comment',
  commentChanged: 'changed a comment', commentRemoved: 'removed a comment', fileAdded: 'attached a file', fileRemoved: 'removed a file',
  // What waits, and what went wrong
  offline: 'No connection.', offlineWaits: '{n} change waits on this device.|{n} changes wait on this device.',
  offlineIdle: 'You can go on working. What you change waits on this device.', offlineNow: 'There is no connection. Try again later.',
  tryNow: 'Try now', waitingMark: 'Waiting to be sent', conflictMark: 'Two versions', refusedMark: 'Not saved',
  notSaved: 'Not saved: {title}.', saveAsNew: 'Save as a new task', discard: 'Discard',
  errorTitle: 'The list could not be loaded', errorText: 'The server answered {status}. Trying again in {n} seconds.',
  errorOffline: 'There is no connection. Trying again in {n} seconds.', again: 'Try again', request: 'Request {id}',
  serviceBusy: 'The service is busy. Trying again.', serviceGone: 'The service can’t be reached. Trying again.',
  emptyToday: 'Nothing due today', emptyTodayText: 'Add a task, or look at what is upcoming.', emptyList: 'No tasks here',
  emptyListText: 'Add the first one.', emptyDone: 'Nothing is done yet', emptyDoneText: 'What you complete is kept here.',
  emptyOverdue: 'Nothing is late', emptyOverdueText: 'What is past its day would stand here.',
  emptySearch: 'Nothing found for “{q}”', emptySearchText: 'Search looks in titles and notes. Every word must match.',
  conflictTitle: '{who} changed this task while you were writing', conflictText: 'Choose what to keep. The other version stays in the history.',
  theirs: '{who}', yours: 'You', merged: 'Also changed by {who}, and kept: {fields}', keep: 'Save my choice', takeTheirs: 'Take all from {who}',
  // Projects and people
  newProject: 'New project', name: 'Name', create: 'Create', shareTitle: 'Share {name}', invite: 'Invite', email: 'E-mail address',
  role: 'Role', owner: 'Owner', editor: 'Editor', viewer: 'Viewer', you: 'you', invited: 'Invited', leave: 'Leave this project',
  ownerText: 'changes the project and its people', editorText: 'changes tasks, comments and files', viewerText: 'reads, and changes nothing',
  archive: 'Archive', archiveText: 'An archived project leaves everyone’s lists. Nothing is deleted.', unarchive: 'Bring back',
  unarchiveText: 'This project is archived: it can be read, not changed.', deleteProject: 'Delete', reallyDelete: 'Delete for good',
  deleteProjectText: 'Deleting a project deletes its tasks. This can’t be undone.',
  invitations: '{n} invitation|{n} invitations', accept: 'Accept', decline: 'Decline',
  users: 'Users', searchUsers: 'Search names and addresses', roleUser: 'User', roleAdmin: 'Administrator', disabled: 'disabled',
  disable: 'Disable', enable: 'Enable', deleteUser: 'Delete', newUser: 'New user',
  // The door
  signIn: 'Sign in', password: 'Password', or: 'or', continueWith: 'Continue with {name}', signInText: 'Sign in to see your tasks.',
  sessionOver: 'Your session is over. Sign in to go on; what you typed is still there.', wrong: 'This address and password do not match.',
  code: 'Code from your app', codeText: 'Your password was right. Enter the six digits your authenticator shows.',
  recovery: 'Use a recovery code', recoveryCode: 'Recovery code', recoveryCodeText: 'Enter one of the codes that you wrote down. It works once.',
  useApp: 'Use the app', back: 'Back', newAccount: 'Create an account', registerText: 'Create an account.', yourName: 'Your name',
  createAccount: 'Create account', passwordText: '12 characters or more, and hard to guess.', forgot: 'Forgotten?',
  forgotText: 'We send you a link to choose a new password.', sendLink: 'Send the link', noMail: 'This service sends no mail. Ask whoever runs it.',
  resetText: 'Choose a new password.', signOut: 'Sign out', stay: 'Stay', discardAndLeave: 'Discard and sign out',
  signOutWaits: '{n} change is not sent yet. Signing out discards it.|{n} changes are not sent yet. Signing out discards them.',
  // The account
  accountTitle: 'Account', language: 'Language', zone: 'Time zone', zoneText: 'Decides when a day begins, for reminders and mail.',
  mail: 'Mail', reminderMail: 'My reminders', assignedMail: 'Tasks that are given to me', currentPassword: 'Current password',
  newPassword: 'New password', changePassword: 'Change password', secondFactor: 'Second factor', setUp: 'Set up', turnOff: 'Turn off',
  factorText: 'A code from an app besides your password.', factorIsOn: 'It is on. You need your app to sign in.', confirm: 'Confirm',
  secretText: 'Add this secret to your authenticator app, then enter the code that it shows.',
  recoveryText: 'Write these codes down. Each opens the door once, when the app is not at hand.', written: 'I have written them down',
  sessions: 'Sessions', thisSession: 'This one', lastUsed: 'Used {when}', end: 'End', endAll: 'End all', reallyEndAll: 'End all, this one too',
  unknownBrowser: 'Unknown browser', tokens: 'Tokens for scripts', tokensText: 'A script signs in with a token instead of your password.',
  tokenName: 'Nightly report', tokenText: 'Copy it now. It is not shown again.', mayDo: 'May', ends: 'Ends', inDays: 'in {n} day|in {n} days',
  endless: 'never ends', until: 'until {date}', createToken: 'Create token', scope_read: 'read', scope_write: 'read and write',
  scope_admin: 'administer', scope_feed: 'calendar', feeds: 'Calendar', feedName: 'My phone', createFeed: 'Create address',
  feedsText: 'A calendar program can subscribe to your open tasks.', feedText: 'Give this address to your calendar. It is not shown again; whoever has it sees your tasks.',
  copy: 'Copy', deleteAccount: 'Delete account', deleteAccountText: 'Deletes you, your inbox and the projects that only you are in. This can’t be undone.',
  notHere: 'This service does not offer it.',
  // Numbers and keys
  perDay: 'Done per day', perDayText: '{n} in 30 days', most: '{n} in all, most on {date}: {max}', nothingDone: 'nothing in 30 days',
  byAge: 'Open by age', age7: 'Under a week', age30: 'Under a month', age90: 'Under 3 months', ageOlder: 'Older', byPerson: 'By person',
  daysAgo: '30 days ago', numbers: 'Numbers', keys: 'Keyboard', keysOn: 'Single-key shortcuts', keysText: 'Turn this off if you use speech input.',
  kNew: 'New task', kSearch: 'Search', kMove: 'Next or previous task', kOpen: 'Open a task', kEdit: 'Edit', kDone: 'Complete', kUndo: 'Undo',
  kBoard: 'List or board', kGo: 'Go to Today, Upcoming, All, Inbox', kCard: 'Move a card on the board', kHelp: 'This help', kClose: 'Close',
}

export const de = {
  // Orte
  today: 'Heute', tomorrow: 'Morgen', yesterday: 'Gestern', upcoming: 'Demnächst', overdue: 'Überfällig', mine: 'Meine',
  all: 'Alle Aufgaben', inbox: 'Eingang', done: 'Erledigt', doneView: 'Erledigt', projects: 'Projekte', labels: 'Etiketten', archived: 'Archiv',
  lists: 'Listen', week: 'Nächste 7 Tage', later: 'Später', none: 'Ohne Datum', list: 'Liste', board: 'Tafel', share: 'Teilen',
  search: 'Suchen', searching: 'Suche läuft', add: 'Hinzufügen', addTask: 'Aufgabe hinzufügen', more: 'Mehr', skip: 'Zur Liste springen',
  addHint: 'Farn gießen morgen #haus !hoch', asText: '„{word}“ als Text behalten', unknownProject: 'Ein anderes Projekt',
  open: '{n}\u00a0offen', isOpen: 'offen', nothingOpen: 'Nichts offen', closed: '{n} abgeschlossen', found: '{n} Aufgabe gefunden|{n} Aufgaben gefunden',
  apiDocs: 'API', somebody: 'Jemand', otherWindow: 'Ein anderes Fenster', now: 'gerade eben', showMore: 'Mehr zeigen', loading: 'Wird geladen',
  // Aufgaben
  todo: 'Offen', in_progress: 'In Arbeit', cancelled: 'Abgebrochen', priority: 'Priorität', prioritynone: 'Keine', low: 'Niedrig',
  medium: 'Mittel', high: 'Hoch', urgent: 'Dringend', status: 'Status', project: 'Projekt', assignee: 'Zuständig', nobody: 'Niemand',
  due: 'Fällig', dueDay: 'Tag', dueAt: 'Uhrzeit', repeat: 'Wiederholen', repeatFrom: 'Wiederholen ab', reminders: 'Erinnern', title: 'Titel',
  notes: 'Notizen', parent: 'Teilaufgabe von', externalId: 'Fremder Schlüssel', subtasks: 'Teilaufgaben', attachments: 'Anhänge',
  comments: 'Kommentare', history: 'Verlauf', empty: 'leer', complete: '{title} erledigen', drag: 'Umschalt und eine Pfeiltaste verschieben die Aufgabe',
  never: 'Nie', daily: 'Täglich', workdays: 'Werktags', weekly: 'Wöchentlich', fortnightly: 'Alle 2 Wochen',
  monthly: 'Monatlich', yearly: 'Jährlich', otherRule: 'Andere Regel (RRULE)', fromDue: 'ab dem Fälligkeitstag', fromDone: 'ab dem Erledigen',
  everyDays: 'Jeden Tag|Alle {n} Tage', everyWeeks: 'Jede Woche|Alle {n} Wochen', everyMonths: 'Jeden Monat|Alle {n} Monate',
  everyYears: 'Jedes Jahr|Alle {n} Jahre', everyWeekday: 'Jeden {day}', daySU: 'Sonntag', dayMO: 'Montag', dayTU: 'Dienstag',
  dayWE: 'Mittwoch', dayTH: 'Donnerstag', dayFR: 'Freitag', daySA: 'Samstag',
  remind0: 'Zur Zeit', remindPT10M: '10 Minuten vorher', remindPT1H: '1 Stunde vorher', remindP1D: '1 Tag vorher',
  remindP7D: '1 Woche vorher', remindMoment: 'Zu anderer Zeit', addReminder: 'Erinnerung hinzufügen', addLabel: 'Etikett hinzufügen',
  addSubtask: 'Teilaufgabe hinzufügen', addFile: 'Datei hinzufügen', addComment: 'Kommentar schreiben', remove: '{what} entfernen',
  removeComment: 'Diesen Kommentar entfernen', close: 'Schließen', delete: 'Aufgabe löschen', download: '{name} herunterladen', uploading: 'Wird gesendet',
  // Was getan wurde
  saidDone: 'Erledigt: {title}', saidNext: 'Erledigt, und die nächste ist geplant: {title}', saidOpen: 'Wieder offen: {title}',
  saidAdded: 'Hinzugefügt: {title}', saidDeleted: 'Gelöscht: {title}', saidNotDeleted: 'Nicht gelöscht, weil jemand sie geändert hat: {title}',
  saidMoved: '{title}: {status}', undo: 'Rückgängig', undone: 'Rückgängig gemacht', saidSent: '{n} Änderung gesendet|{n} Änderungen gesendet',
  saidOther: '{who} hat „{title}“ hinzugefügt', saidOtherChanged: '{who} hat „{title}“ geändert', saidOthers: '{n} Aufgabe geändert|{n} Aufgaben geändert',
  saidGone: 'Jemand hat „{title}“ gelöscht', taskGone: 'Diese Aufgabe gibt es nicht mehr.', saidConflict: 'Zwei Fassungen von „{title}“', look: 'Ansehen',
  saidInvited: '{email} ist eingeladen', saidPassword: 'Das Passwort ist geändert', saidMailed: 'Wenn es so ein Konto gibt, ist eine Mail unterwegs.',
  saidCopied: 'Kopiert',
  created: 'hat die Aufgabe angelegt', changedField: '{field}: {a} → {b}', edited: 'hat die Notizen bearbeitet', deletedIt: 'hat die Aufgabe gelöscht',
  restoredIt: 'hat die Aufgabe zurückgeholt', movedIt: 'hat die Aufgabe verschoben', remindedIt: 'Eine Erinnerung war fällig', commentAdded: 'hat kommentiert',
  commentChanged: 'hat einen Kommentar geändert', commentRemoved: 'hat einen Kommentar entfernt', fileAdded: 'hat eine Datei angehängt', fileRemoved: 'hat eine Datei entfernt',
  // Was wartet, und was nicht ging
  offline: 'Keine Verbindung.', offlineWaits: '{n} Änderung wartet auf diesem Gerät.|{n} Änderungen warten auf diesem Gerät.',
  offlineIdle: 'Sie können weiterarbeiten. Was Sie ändern, wartet auf diesem Gerät.', offlineNow: 'Es gibt keine Verbindung. Versuchen Sie es später noch einmal.',
  tryNow: 'Jetzt versuchen', waitingMark: 'Wartet aufs Senden', conflictMark: 'Zwei Fassungen', refusedMark: 'Nicht gespeichert',
  notSaved: 'Nicht gespeichert: {title}.', saveAsNew: 'Als neue Aufgabe speichern', discard: 'Verwerfen',
  errorTitle: 'Die Liste konnte nicht geladen werden', errorText: 'Der Server hat mit {status} geantwortet. Neuer Versuch in {n} Sekunden.',
  errorOffline: 'Es gibt keine Verbindung. Neuer Versuch in {n} Sekunden.', again: 'Nochmals versuchen', request: 'Anfrage {id}',
  serviceBusy: 'Der Dienst ist ausgelastet. Neuer Versuch läuft.', serviceGone: 'Der Dienst ist nicht erreichbar. Neuer Versuch läuft.',
  emptyToday: 'Heute ist nichts fällig', emptyTodayText: 'Fügen Sie etwas hinzu oder sehen Sie nach, was demnächst kommt.', emptyList: 'Hier gibt es keine Aufgaben',
  emptyListText: 'Fügen Sie die erste hinzu.', emptyDone: 'Noch ist nichts erledigt', emptyDoneText: 'Was Sie erledigen, bleibt hier.',
  emptyOverdue: 'Nichts ist überfällig', emptyOverdueText: 'Was über seinen Tag hinaus ist, stünde hier.',
  emptySearch: 'Nichts gefunden für „{q}“', emptySearchText: 'Gesucht wird in Titeln und Notizen. Jedes Wort muss vorkommen.',
  conflictTitle: '{who} hat die Aufgabe geändert, während Sie schrieben', conflictText: 'Wählen Sie, was bleibt. Die andere Fassung steht weiter im Verlauf.',
  theirs: '{who}', yours: 'Sie', merged: 'Auch von {who} geändert, und übernommen: {fields}', keep: 'Auswahl speichern', takeTheirs: 'Alles von {who} nehmen',
  // Projekte und Personen
  newProject: 'Neues Projekt', name: 'Name', create: 'Anlegen', shareTitle: '{name} teilen', invite: 'Einladen', email: 'E-Mail-Adresse',
  role: 'Rolle', owner: 'Besitz', editor: 'Bearbeiten', viewer: 'Lesen', you: 'Sie', invited: 'Eingeladen', leave: 'Dieses Projekt verlassen',
  ownerText: 'ändert das Projekt und seine Personen', editorText: 'ändert Aufgaben, Kommentare und Dateien', viewerText: 'liest und ändert nichts',
  archive: 'Archivieren', archiveText: 'Ein archiviertes Projekt verschwindet aus allen Listen. Nichts wird gelöscht.', unarchive: 'Zurückholen',
  unarchiveText: 'Dieses Projekt ist archiviert: Man kann es lesen, nicht ändern.', deleteProject: 'Löschen', reallyDelete: 'Endgültig löschen',
  deleteProjectText: 'Wer ein Projekt löscht, löscht seine Aufgaben. Das lässt sich nicht rückgängig machen.',
  invitations: '{n} Einladung|{n} Einladungen', accept: 'Annehmen', decline: 'Ablehnen',
  users: 'Benutzer', searchUsers: 'Namen und Adressen suchen', roleUser: 'Benutzer', roleAdmin: 'Verwaltung', disabled: 'gesperrt',
  disable: 'Sperren', enable: 'Entsperren', deleteUser: 'Löschen', newUser: 'Neuer Benutzer',
  // Die Tür
  signIn: 'Anmelden', password: 'Passwort', or: 'oder', continueWith: 'Weiter mit {name}', signInText: 'Melden Sie sich an, um Ihre Aufgaben zu sehen.',
  sessionOver: 'Ihre Sitzung ist zu Ende. Melden Sie sich an; was Sie geschrieben haben, ist noch da.', wrong: 'Adresse und Passwort passen nicht zusammen.',
  code: 'Code aus Ihrer App', codeText: 'Das Passwort stimmt. Geben Sie die sechs Ziffern aus Ihrer App ein.',
  recovery: 'Wiederherstellungscode verwenden', recoveryCode: 'Wiederherstellungscode', recoveryCodeText: 'Geben Sie einen der notierten Codes ein. Er gilt einmal.',
  useApp: 'App verwenden', back: 'Zurück', newAccount: 'Konto anlegen', registerText: 'Legen Sie ein Konto an.', yourName: 'Ihr Name',
  createAccount: 'Konto anlegen', passwordText: '12 Zeichen oder mehr, und schwer zu erraten.', forgot: 'Vergessen?',
  forgotText: 'Wir senden Ihnen einen Link, um ein neues Passwort zu wählen.', sendLink: 'Link senden', noMail: 'Dieser Dienst versendet keine Mail. Fragen Sie, wer ihn betreibt.',
  resetText: 'Wählen Sie ein neues Passwort.', signOut: 'Abmelden', stay: 'Bleiben', discardAndLeave: 'Verwerfen und abmelden',
  signOutWaits: '{n} Änderung ist noch nicht gesendet. Abmelden verwirft sie.|{n} Änderungen sind noch nicht gesendet. Abmelden verwirft sie.',
  // Das Konto
  accountTitle: 'Konto', language: 'Sprache', zone: 'Zeitzone', zoneText: 'Bestimmt, wann ein Tag beginnt: für Erinnerungen und Mail.',
  mail: 'Mail', reminderMail: 'Meine Erinnerungen', assignedMail: 'Aufgaben, die ich bekomme', currentPassword: 'Jetziges Passwort',
  newPassword: 'Neues Passwort', changePassword: 'Passwort ändern', secondFactor: 'Zweiter Faktor', setUp: 'Einrichten', turnOff: 'Ausschalten',
  factorText: 'Ein Code aus einer App neben dem Passwort.', factorIsOn: 'Er ist eingeschaltet. Zum Anmelden brauchen Sie Ihre App.', confirm: 'Bestätigen',
  secretText: 'Geben Sie dieses Geheimnis Ihrer App und dann den Code ein, den sie zeigt.',
  recoveryText: 'Notieren Sie diese Codes. Jeder öffnet einmal die Tür, wenn die App nicht zur Hand ist.', written: 'Ich habe sie notiert',
  sessions: 'Sitzungen', thisSession: 'Diese', lastUsed: 'Benutzt {when}', end: 'Beenden', endAll: 'Alle beenden', reallyEndAll: 'Alle beenden, auch diese',
  unknownBrowser: 'Unbekannter Browser', tokens: 'Tokens für Skripte', tokensText: 'Ein Skript meldet sich mit einem Token statt mit Ihrem Passwort an.',
  tokenName: 'Nächtlicher Bericht', tokenText: 'Kopieren Sie es jetzt. Es wird nicht wieder gezeigt.', mayDo: 'Darf', ends: 'Endet', inDays: 'in {n} Tag|in {n} Tagen',
  endless: 'endet nie', until: 'bis {date}', createToken: 'Token anlegen', scope_read: 'lesen', scope_write: 'lesen und schreiben',
  scope_admin: 'verwalten', scope_feed: 'Kalender', feeds: 'Kalender', feedName: 'Mein Telefon', createFeed: 'Adresse anlegen',
  feedsText: 'Ein Kalenderprogramm kann Ihre offenen Aufgaben abonnieren.', feedText: 'Geben Sie diese Adresse Ihrem Kalender. Sie wird nicht wieder gezeigt; wer sie hat, sieht Ihre Aufgaben.',
  copy: 'Kopieren', deleteAccount: 'Konto löschen', deleteAccountText: 'Löscht Sie, Ihren Eingang und die Projekte, in denen nur Sie sind. Das lässt sich nicht rückgängig machen.',
  notHere: 'Dieser Dienst bietet das nicht an.',
  // Zahlen und Tasten
  perDay: 'Erledigt je Tag', perDayText: '{n} in 30 Tagen', most: 'insgesamt {n}, die meisten am {date}: {max}', nothingDone: 'nichts in 30 Tagen',
  byAge: 'Offen nach Alter', age7: 'Unter 1 Woche', age30: 'Unter 1 Monat', age90: 'Unter 3 Monaten', ageOlder: 'Älter', byPerson: 'Nach Person',
  daysAgo: 'vor 30 Tagen', numbers: 'Zahlen', keys: 'Tastatur', keysOn: 'Einzelne Tasten', keysText: 'Schalten Sie das aus, wenn Sie mit der Stimme bedienen.',
  kNew: 'Neue Aufgabe', kSearch: 'Suchen', kMove: 'Nächste oder vorige Aufgabe', kOpen: 'Aufgabe öffnen', kEdit: 'Bearbeiten', kDone: 'Erledigen', kUndo: 'Rückgängig',
  kBoard: 'Liste oder Tafel', kGo: 'Zu Heute, Demnächst, Alle, Eingang', kCard: 'Karte auf der Tafel verschieben', kHelp: 'Diese Hilfe', kClose: 'Schließen',
}

const dictionaries = { en, de }
const LOCALES = { en: 'en-GB', de: 'de' }
let language = 'en'

export const languages = { en: 'English', de: 'Deutsch' }
export const getLanguage = () => language
export const locale = () => LOCALES[language]

export function setLanguage(code) {
  language = code in dictionaries ? code : 'en'
  document.documentElement.lang = language
  remember('language', language)
}

/** The language that was chosen here, else the first of the browser's that there is. */
export function startLanguage() {
  const wanted = [recall('language'), ...navigator.languages.map((tag) => tag.slice(0, 2))]
  language = wanted.find((code) => code in dictionaries) ?? 'en'
  document.documentElement.lang = language
}

export const number = (value) => value.toLocaleString(locale())

export function t(key, values = {}) {
  let text = dictionaries[language][key] ?? key
  if (text.includes('|')) text = text.split('|')[values.n === 1 ? 0 : 1]
  return text.replace(/\{(\w+)\}/g, (whole, name) => (typeof values[name] === 'number' ? number(values[name]) : (values[name] ?? whole)))
}
