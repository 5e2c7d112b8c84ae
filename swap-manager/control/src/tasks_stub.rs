pub(crate) use stub::Tasks as TasksStub;
mod stub {
    pub struct Tasks;
    impl Tasks {
        pub fn new() -> Self { Tasks }
        pub fn subscribe(&self, _: &str, _: &s_events::Events, _: &str) -> bool { false }
        pub fn unsubscribe(&self, _: &str, _: &str) -> bool { false }
        pub fn set_timer(&self, _: &str, _: u64, _: u64, _: u64) -> bool { false }
        pub fn cancel_timer(&self, _: &str, _: u64) -> bool { false }
        pub fn send_status(&self, _: &str, _: &str, _: &[u8]) -> s_sdk::abi::Status { s_sdk::abi::Status::NO_SUCH_NAME }
        pub fn start(&self, _: &'static s_proxy::Runtime, _: &'static s_proxy::Component) {}
    }
}
