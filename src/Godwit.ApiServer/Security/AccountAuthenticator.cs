using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.ApiServer.Access;
using Godwit.ApiServer.Resources;
using Godwit.Store;

namespace Godwit.ApiServer.Security;

/// <summary>
/// Whose token of a service account it is, looked up anew at each use: it is good while its time is not over, and its account, and
/// what it is bound to, are there under the same UIDs. So deleting one of them ends the token, on every server over the store.
/// </summary>
internal sealed class AccountAuthenticator(AccountTokenSigner signer, IRevisionStore store, ServedResources resources, TimeProvider clock)
{
    private const string ExtraPrefix = "authentication.kubernetes.io/";

    /// <summary>What is being deleted may still ask for so long after its time: a pod says goodbye in its grace.</summary>
    private static readonly TimeSpan DeletedGrace = TimeSpan.FromSeconds(60);

    private readonly ServedResource? accounts = resources.Find("", "v1", ServiceAccount.Type.Plural);
    private readonly ServedResource? pods = resources.Find("", "v1", Pod.Type.Plural);
    private readonly ServedResource? secrets = resources.Find("", "v1", Secret.Type.Plural);

    /// <summary>Whose a token is that is meant for one of the audiences, and for which of them; null: nobody's.</summary>
    public async ValueTask<TokenOwner?> FindAsync(string text, IReadOnlyCollection<string> audiences, CancellationToken stopping)
    {
        if (signer.Read(text) is not { } token)
        {
            return null;
        }

        List<string> meant = [.. audiences.Where(token.Audiences.Contains)];
        return meant.Count > 0
            && await LivesAsync(accounts, token.Namespace, token.Account, stopping)
            && (token.Pod is not { } pod || await LivesAsync(pods, token.Namespace, pod, stopping))
            && (token.Secret is not { } secret || await LivesAsync(secrets, token.Namespace, secret, stopping))
            ? new TokenOwner(UserOf(token), meant)
            : null;
    }

    private async Task<bool> LivesAsync(ServedResource? resource, string ns, NamedUid named, CancellationToken stopping)
    {
        if (resource is null || await store.GetAsync(resource.Key(ns, named.Name), stopping) is not { } item)
        {
            return false;
        }

        var meta = GodwitJson.Deserialize<ObjectMeta>(TopLevel.Slice(item.Value.Span, "metadata"u8));
        return meta.Uid == named.Uid && (meta.DeletionTimestamp is not { } deleted || clock.GetUtcNow() < deleted + DeletedGrace);
    }

    private static User UserOf(AccountToken token)
    {
        var extra = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { [ExtraPrefix + "credential-id"] = [$"JTI={token.Id}"] };
        if (token.Pod is { } pod)
        {
            extra[ExtraPrefix + "pod-name"] = [pod.Name];
            extra[ExtraPrefix + "pod-uid"] = [pod.Uid];
        }

        if (token.Node is { } node)
        {
            extra[ExtraPrefix + "node-name"] = [node];
        }

        return new User(User.AccountName(token.Namespace, token.Account.Name), User.AccountGroups(token.Namespace), token.Account.Uid) { Extra = extra };
    }
}

/// <summary>Whose a token is, and which of the audiences asked about it is meant for.</summary>
internal sealed record TokenOwner(User User, IReadOnlyList<string> Audiences);
