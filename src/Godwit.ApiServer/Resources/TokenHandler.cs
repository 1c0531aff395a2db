using System.Text.Json;
using Godwit.Api;
using Godwit.Api.Authentication.V1;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Gives out tokens of service accounts: <c>POST serviceaccounts/NAME/token</c>. A token is not stored; it ends with its time, its account, and the
/// pod or secret that it is bound to. A node gets them for pods that are bound to it, bound to that pod, and for the audiences that the
/// pod asks for: so a host in wrong hands has the rights of what it runs, and no longer than it runs it.
/// </summary>
internal sealed class TokenHandler(IRevisionStore store, ServedResources resources, AccountTokenSigner signer, TimeProvider clock)
{
    private const long SecondsDefault = 3600;
    private const long SecondsMin = 600;
    private const long SecondsMax = 1L << 32;
    private const int AudiencesMax = 32;
    private const int AudienceCharactersMax = 1024;

    /// <summary>Whoever asks for more gets this; the answer says until when.</summary>
    private static readonly TimeSpan LifetimeMax = TimeSpan.FromDays(365);

    private readonly ServedResource? accounts = resources.Find("", "v1", ServiceAccount.Type.Plural);
    private readonly ServedResource? pods = resources.Find("", "v1", Pod.Type.Plural);
    private readonly ServedResource? secrets = resources.Find("", "v1", Secret.Type.Plural);

    public static bool Handles(RequestInfo info) => info is { Group: "", Version: "v1", Resource: "serviceaccounts", Namespace.Length: > 0, Name.Length: > 0, Subresource: "token" };

    public async Task HandleAsync(ApiRequest request)
    {
        if (request.Info.Verb != "create")
        {
            throw StatusException.MethodNotAllowed(request.Http.Request.Method);
        }

        var resource = accounts ?? throw StatusException.UnknownPath();
        var kind = BuiltInKinds.TokenRequest;
        var body = (await BodyReader.ReadObjectAsync(request, kind.Type, kind.Schema)).Value;
        var subject = new StatusSubject(kind.Type.Group, kind.Type.Plural, "", kind.Type.Kind);
        FieldErrors.ThrowIfAny(SchemaCheck.Run(kind.Schema, body).Errors, subject);
        var asked = GodwitJson.FromNode<TokenRequest>(body);
        FieldErrors.ThrowIfAny(Validate(asked.Spec), subject);
        var account = await FindAsync<ServiceAccount>(resource, request, request.Info.Name);
        if (account.Metadata.DeletionTimestamp is not null)
        {
            throw StatusException.Conflict(request.Info.Subject, "the service account is being deleted");
        }

        var token = await BindAsync(request, account, asked.Spec);
        var isDry = WriteContext.Of(request, resource).DryRun;
        var answer = asked with
        {
            Metadata = new() { Name = account.Metadata.Name, Namespace = account.Metadata.Namespace, CreationTimestamp = token.IssuedAt },
            Spec = asked.Spec with { Audiences = token.Audiences, ExpirationSeconds = (long)(token.ExpiresAt - token.IssuedAt).TotalSeconds },
            Status = isDry ? new() : new() { Token = signer.Sign(token), ExpirationTimestamp = token.ExpiresAt },
        };
        var written = GodwitJson.ToObject(answer);
        var accepted = Negotiation.Choose(request.Http.Request.Headers.Accept.ToString());
        await Answer.WriteAsync(request, 201, accepted.Format, output =>
        {
            using var json = new Utf8JsonWriter(output, StoredForm.WriterOptions);
            written.WriteTo(json);
        });
    }

    private static IEnumerable<FieldError> Validate(TokenRequestSpec spec)
    {
        if (spec.ExpirationSeconds is < SecondsMin)
        {
            yield return FieldError.Invalid("spec.expirationSeconds", spec.ExpirationSeconds, "may not specify a duration less than 10 minutes");
        }

        if (spec.ExpirationSeconds is > SecondsMax)
        {
            yield return FieldError.Invalid("spec.expirationSeconds", spec.ExpirationSeconds, "may not specify a duration larger than 2^32 seconds");
        }

        if (spec.Audiences.Count > AudiencesMax || spec.Audiences.Any(audience => audience.Length is 0 or > AudienceCharactersMax))
        {
            yield return FieldError.Invalid("spec.audiences", null, $"must be at most {AudiencesMax} names of 1 to {AudienceCharactersMax} characters");
        }

        if (spec.BoundObjectRef is not { } bound)
        {
            yield break;
        }

        if ((bound.Kind, bound.ApiVersion) is not ("Pod" or "Secret", null or "" or "v1"))
        {
            yield return FieldError.NotSupported("spec.boundObjectRef.kind", bound.Kind, "Pod", "Secret");
        }

        if (string.IsNullOrEmpty(bound.Name))
        {
            yield return FieldError.Required("spec.boundObjectRef.name", "the object that the token ends with");
        }
    }

    private async Task<AccountToken> BindAsync(ApiRequest request, ServiceAccount account, TokenRequestSpec spec)
    {
        var pod = spec.BoundObjectRef is { Kind: "Pod", Name: { } podName } ? await FindAsync<Pod>(pods, request, podName) : null;
        var secret = spec.BoundObjectRef is { Kind: "Secret", Name: { } secretName } ? await FindAsync<Secret>(secrets, request, secretName) : null;
        if ((pod as Resource ?? secret) is { } bound && spec.BoundObjectRef!.Uid is { Length: > 0 } uid && uid != bound.Metadata.Uid)
        {
            throw StatusException.Conflict(request.Info.Subject, $"the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated");
        }

        if (pod is not null && pod.Spec.ServiceAccountName != account.Metadata.Name)
        {
            throw StatusException.BadRequest($"cannot bind token for serviceaccount \"{account.Metadata.Name}\" to pod running with different serviceaccount name.");
        }

        if (request.User.NodeName is { } node)
        {
            CheckNode(request, node, pod, spec);
        }

        var issued = DateTimeOffset.FromUnixTimeSeconds(clock.GetUtcNow().ToUnixTimeSeconds());
        return new AccountToken
        {
            Namespace = account.Metadata.Namespace,
            Account = new NamedUid(account.Metadata.Name, account.Metadata.Uid),
            Audiences = spec.Audiences.Count > 0 ? spec.Audiences : [AccountToken.Issuer],
            IssuedAt = issued,
            ExpiresAt = issued + TimeSpan.FromSeconds(Math.Min(spec.ExpirationSeconds ?? SecondsDefault, (long)LifetimeMax.TotalSeconds)),
            Id = Guid.NewGuid().ToString(),
            Pod = pod is null ? null : new NamedUid(pod.Metadata.Name, pod.Metadata.Uid),
            Secret = secret is null ? null : new NamedUid(secret.Metadata.Name, secret.Metadata.Uid),
            Node = pod?.Spec.NodeName is { Length: > 0 } there ? there : null,
        };
    }

    /// <exception cref="StatusException">403: the node asks for what none of its pods has asked for.</exception>
    private static void CheckNode(ApiRequest request, string node, Pod? pod, TokenRequestSpec spec)
    {
        if (pod is null || spec.BoundObjectRef!.Uid is not { Length: > 0 } || pod.Spec.NodeName != node)
        {
            throw StatusException.Forbidden(request.Info.Subject, $"node \"{node}\" gets tokens only of pods that are bound to it, and bound to that pod by name and uid");
        }

        var wanted = pod.Spec.Volumes.SelectMany(volume => volume.Projected?.Sources ?? []).Select(source => source.ServiceAccountToken).OfType<ServiceAccountTokenProjection>()
            .Select(projection => projection.Audience is { Length: > 0 } audience ? audience : AccountToken.Issuer).ToHashSet(StringComparer.Ordinal);
        if ((spec.Audiences.Count > 0 ? spec.Audiences : [AccountToken.Issuer]).FirstOrDefault(audience => !wanted.Contains(audience)) is { } other)
        {
            throw StatusException.Forbidden(request.Info.Subject, $"node \"{node}\" asks for the audience \"{other}\", which no volume of pod \"{pod.Metadata.Name}\" names");
        }
    }

    private async Task<T> FindAsync<T>(ServedResource? resource, ApiRequest request, string name)
        where T : Resource, IResource<T> =>
        resource is not null && Names.CheckDnsSubdomain(name) is null && await store.GetAsync(resource.Key(request.Info.Namespace, name), request.Stopping) is { } item
            ? GodwitJson.FromNode<T>(resource.Form.Decode(item.Value.Span, item.ModRevision))
            : throw StatusException.NotFound(new StatusSubject("", T.Type.Plural, name));
}
