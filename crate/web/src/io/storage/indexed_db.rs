//! IndexedDB: one database for each space. A connection that the browser closed is opened anew; a
//! database that was deleted is not made again, because what this tab goes on from is gone.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::connection::{BLOCKED, Connection, Refused, State};
use crate::base::error;
use crate::base::resources::Resources;

const DELETED: &str = "the database was deleted while it was open: open the space again";

pub struct IndexedDb {
    name: String,
    resources: Resources,
    connection: RefCell<Option<Rc<Connection>>>,
    life: Cell<Life>,
    /// It is still being opened, because another connection stands in the way. Another attempt would
    /// wait behind this one.
    is_blocked: Rc<Cell<bool>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It was never open.
    New,
    Known,
    Deleted,
    Closed,
}

impl IndexedDb {
    pub fn new(name: String, resources: Resources) -> Self {
        let (connection, life) = (RefCell::default(), Cell::new(Life::New));
        Self { name, resources, connection, life, is_blocked: Rc::default() }
    }

    /// The connection, if it can be used.
    pub fn connection(&self) -> Option<Rc<Connection>> {
        let connection = self.connection.borrow().clone()?;
        match connection.state() {
            State::Open => return Some(connection),
            State::Closed => {}
            State::Deleted => self.life.set(Life::Deleted),
        }
        // Taken first: it is let go of when nothing is borrowed.
        let gone = self.connection.borrow_mut().take();
        drop(gone);
        None
    }

    /// Opens a connection. The error is a text for people.
    pub async fn connect(&self) -> Result<(), String> {
        self.check()?;
        if self.is_blocked.get() {
            return Err(BLOCKED.to_owned());
        }
        let makes = self.life.get() == Life::New;
        let opened = Connection::open(&self.name, makes, &self.is_blocked, self.resources.clone()).await;
        // Meanwhile it may have been closed; what was opened is let go of here then.
        self.check()?;
        match opened {
            Ok(connection) => {
                self.life.set(Life::Known);
                *self.connection.borrow_mut() = Some(Rc::new(connection));
                Ok(())
            }
            Err(Refused::Deleted) => {
                self.life.set(Life::Deleted);
                self.check()
            }
            Err(Refused::Failed(thrown)) => Err(error::message(&thrown)),
        }
    }

    pub fn close(&self) {
        self.life.set(Life::Closed);
        let connection = self.connection.borrow_mut().take();
        drop(connection);
    }

    fn check(&self) -> Result<(), String> {
        match self.life.get() {
            Life::New | Life::Known => Ok(()),
            Life::Deleted => Err(DELETED.to_owned()),
            Life::Closed => Err("the database is closed".to_owned()),
        }
    }
}
