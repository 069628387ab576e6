//! `AdminService`: governance in, views of the registry and of this node out.

use std::sync::Arc;

use receipt_core::governance::SignedGovernance;
use tallystick_proto::admin::v1::admin_service_server::AdminService;
use tallystick_proto::admin::v1::{
    GetNodeStatusRequest, GetNodeStatusResponse, ListIssuersRequest, ListIssuersResponse, ListKeysRequest,
    ListKeysResponse, ListSegmentsRequest, ListSegmentsResponse, ListSystemsRequest, ListSystemsResponse,
    ListUnitsRequest, ListUnitsResponse, ReadRegistryRequest, ReadRegistryResponse, SubmitGovernanceRequest,
    SubmitGovernanceResponse, TryGovernanceRequest, TryGovernanceResponse,
};
use tonic::{Request, Response, Status};

use super::{Failure, Services, invalid, lists, registry};
use crate::store::StoreError;
use crate::wire::hash_bytes;

#[tonic::async_trait]
impl AdminService for Services {
    async fn submit_governance(
        &self,
        request: Request<SubmitGovernanceRequest>,
    ) -> Result<Response<SubmitGovernanceResponse>, Status> {
        let message = SignedGovernance::decode(&request.into_inner().signed_governance)
            .map_err(|error| invalid("signed_governance", &error.to_string()))?;
        let entry_hash = message.hash();
        let (pool, offered) = (Arc::clone(&self.pool), message.clone());
        if !self.blocking(move || Ok(pool.offer_governance(offered)?)).await? {
            self.forwarder.forward_governance(message);
        }
        Ok(Response::new(SubmitGovernanceResponse {
            entry_hash: hash_bytes(&entry_hash),
            decided: false,
            leaf_index: 0,
            block_height: 0,
        }))
    }

    async fn list_units(&self, request: Request<ListUnitsRequest>) -> Result<Response<ListUnitsResponse>, Status> {
        self.read(move |services| lists::units(services, request.into_inner().page)).await
    }

    async fn list_systems(
        &self,
        request: Request<ListSystemsRequest>,
    ) -> Result<Response<ListSystemsResponse>, Status> {
        self.read(move |services| lists::systems(services, request.into_inner().page)).await
    }

    async fn list_keys(&self, request: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        self.read(move |services| lists::keys(services, request.into_inner().page)).await
    }

    async fn list_segments(
        &self,
        request: Request<ListSegmentsRequest>,
    ) -> Result<Response<ListSegmentsResponse>, Status> {
        self.read(move |services| lists::segments(services, request.into_inner())).await
    }

    async fn list_issuers(
        &self,
        request: Request<ListIssuersRequest>,
    ) -> Result<Response<ListIssuersResponse>, Status> {
        self.read(move |services| lists::issuers(services, request.into_inner().page)).await
    }

    async fn read_registry(
        &self,
        request: Request<ReadRegistryRequest>,
    ) -> Result<Response<ReadRegistryResponse>, Status> {
        self.read(move |services| registry::page(services, &request.into_inner().page_token)).await
    }

    async fn try_governance(
        &self,
        request: Request<TryGovernanceRequest>,
    ) -> Result<Response<TryGovernanceResponse>, Status> {
        self.read(move |services| registry::tried(services, &request.into_inner())).await
    }

    async fn get_node_status(
        &self,
        _: Request<GetNodeStatusRequest>,
    ) -> Result<Response<GetNodeStatusResponse>, Status> {
        self.read(Services::status).await
    }
}

impl Services {
    fn status(&self) -> Result<GetNodeStatusResponse, Failure> {
        let store = &self.ledger.store;
        let sealed_height = self.heights.sealed_height();
        let range = store.height_range(sealed_height)?;
        let range = range.ok_or_else(|| StoreError::corrupt("the sealed height is missing"))?;
        let root = store.root_at(range.size)?;
        let set = self.ledger.validators_at(self.ledger.next_height()?)?;
        let pool = self.pool.size();
        let governance = self.pool.last_governance(None)?;
        let governance = governance.ok_or_else(|| StoreError::corrupt("no authorities"))?;
        Ok(GetNodeStatusResponse {
            validator_id: self.sealer.validator_id().get(),
            chain_id: hash_bytes(&self.ledger.chain.id.0),
            origin: self.ledger.genesis.origin.clone(),
            decided_height: self.heights.decided_height().get(),
            sealed_height: sealed_height.get(),
            sealed_tree_size: range.size.get(),
            sealed_root: hash_bytes(&root),
            pooled_batches: pool.batches as u64,
            pooled_records: pool.records as u64,
            pooled_bytes: pool.bytes as u64,
            connected_peers: self.forwarder.connected(),
            catching_up: self.forwarder.is_behind(self.heights.decided_height(), &set),
            disk_free_bytes: self.disk.free_bytes(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            governance_sequence: governance.sequence,
            governance_id: hash_bytes(&governance.id),
        })
    }
}
